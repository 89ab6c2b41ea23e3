package schema

// What the values of decorators mean.

// condition understands true, false, forEnv(...) and not(...). Anything else has a meaning in other tools
// (eq($OTHER, x)); it is not known when it holds, so the item is taken as required, and as sensitive.
func (p *parser) condition(d *Decorator, h *header, forms string) Condition {
	c, ok := p.conditionOf(d.value, h)
	if !ok {
		if d.value.kind == static {
			p.fail(d.value.pos, "@"+d.Name+" is "+forms, "")
			return Condition{}
		}
		counts := map[string]string{
			"required": "the item is required", "optional": "the item is required", "defaultRequired": "items are required by it",
			"sensitive": "the item is a secret", "public": "the item is a secret", "defaultSensitive": "items are secrets by it",
		}
		p.warn(d.Line, "@"+d.Name+" has a value that is not understood here, and "+counts[d.Name]+": "+forms)
		return Condition{Always: d.Name != "optional" && d.Name != "public"}
	}
	return c
}

func (p *parser) conditionOf(v value, h *header) (c Condition, ok bool) {
	switch {
	case v.kind == static && v.quote == 0 && (v.text == "true" || v.text == "false"):
		return Condition{Always: v.text == "true"}, true
	case v.kind == call && v.text == "not" && len(v.args) == 1 && v.args[0].key == "":
		c, ok = p.conditionOf(v.args[0].value, h)
		return c.not(), ok
	case v.kind == call && v.text == "forEnv":
		if h.forEnv < 0 {
			h.forEnv = v.pos
		}
		if len(v.args) == 0 {
			p.fail(v.pos, "forEnv() without an environment", "write it as forEnv(staging, production)")
			return Condition{}, true
		}
		for _, a := range v.args {
			if a.key != "" || a.value.kind != static || a.value.bad != nil {
				p.fail(a.pos, "forEnv takes names of environments", "write it as forEnv(staging, production)")
				return Condition{}, true
			}
			c.Environments = append(c.Environments, a.value.text)
			h.environments = append(h.environments, a.value)
		}
		return c, true
	}
	return Condition{}, false
}

// sensitivity understands @sensitive and @public, which can also be an object with options.
func (p *parser) sensitivity(d *Decorator, it *Item, h *header) Condition {
	const forms = "true, false or forEnv(production, ...)"
	if d.value.kind == object {
		options := d.value
		d.value = value{text: "true", raw: "true", pos: options.pos}
		for _, a := range options.args {
			switch a.key {
			case "enabled":
				d.value = a.value
			case "allowShortValue":
				it.short = a.value.text == "true"
			}
		}
		defer func() { d.value = options }()
	}
	c := p.condition(d, h, forms)
	if d.Name == "public" {
		return c.not()
	}
	return c
}

// reference understands $NAME, ${NAME} and ref(NAME).
func reference(v value) (string, bool) {
	all, computed := parts(v)
	if computed != "" || len(all) != 1 || all[0].variable == "" || all[0].fallback != nil {
		return "", false
	}
	return all[0].variable, true
}

// text understands a value that is text.
func (p *parser) text(d *Decorator) string {
	if d.form == alone || d.value.kind != static {
		p.fail(d.value.pos, "@"+d.Name+" is text", "write it as @"+d.Name+"=text, with quotes around a text with blanks or brackets")
		return ""
	}
	return d.value.text
}

// list understands arguments that are text.
func (p *parser) list(d *Decorator) []value {
	var all []value
	for _, a := range d.value.args {
		if a.key != "" || a.value.kind != static || a.value.bad != nil {
			p.fail(a.pos, "@"+d.Name+"(...) takes plain values", "put quotes around one with =, blanks or brackets")
			continue
		}
		all = append(all, a.value)
	}
	return all
}

// docs understands @docs(URL) and @docs("text", URL).
func (p *parser) docs(d *Decorator, it *Item) {
	switch args := p.list(d); len(args) {
	case 1:
		it.Docs = append(it.Docs, Doc{URL: args[0].text})
	case 2:
		it.Docs = append(it.Docs, Doc{args[0].text, args[1].text})
	default:
		if len(args) == len(d.value.args) {
			p.fail(d.pos, "@docs takes a URL, or a description and a URL", `write it as @docs(https://...) or @docs("How to get one", https://...)`)
		}
	}
}
