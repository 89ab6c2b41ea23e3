package schema_test

import (
	"fmt"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

func ExampleParse() {
	s, err := schema.Parse(".env.schema", []byte(`
# @required @sensitive @type=string(minLength=32)
# @rotate=90d @generate=hex(32) @category=security
JWT_SECRET_KEY=

# @type=enum(debug, info)
LOG_LEVEL=info
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, it := range s.Items {
		fmt.Println(it.Line, it.Name, it.Default, it.Type.Name, it.Rotate, it.Generate)
	}
	// Output:
	// 4 JWT_SECRET_KEY no default string 2160h0m0s hex(32)
	// 7 LOG_LEVEL a default enum 0s
}

func ExampleSyntaxError() {
	_, err := schema.Parse(".env.schema", []byte("# @required @type=string(minLength=many)\nJWT_SECRET_KEY=\n"))
	for _, e := range schema.Errors(err) {
		fmt.Println(e)
		fmt.Println(e.(*schema.SyntaxError).Caret())
	}
	// Output:
	// .env.schema:1:36: minLength is not a number of bytes
	// # @required @type=string(minLength=many)
	//                                    ^
}

func ExampleSchema_Validate() {
	s, err := schema.Parse(".env.schema", []byte(`
# @currentEnv=$APP_ENV

# @type=enum(development, production) @public
APP_ENV=development
# @required=forEnv(production) @sensitive @generate=hex(32)
JWT_SECRET_KEY=
# @type=port @public
PORT=8000
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	environ := map[string]string{"APP_ENV": "production"}
	result, err := s.Validate(schema.Values{
		Lookup: func(name string) (string, bool) { value, set := environ[name]; return value, set },
	})
	for _, violation := range schema.Errors(err) {
		fmt.Println(violation)
	}
	for _, d := range result.Defaults {
		fmt.Println(d.Name, d.Value())
	}
	// Output:
	// JWT_SECRET_KEY: not set, and required in production (required, .env.schema:7): set a value, for example the output of: openssl rand -hex 32
	// PORT 8000
}
