// Chamber is built from here, so that its version and those of what it needs are pinned and none of
// them is in the go.mod of secret-entrypoint.
module github.com/secret-entrypoint/secret-entrypoint/bench/neighbours/chamber

go 1.26.0

tool github.com/segmentio/chamber/v2

require (
	github.com/alessio/shellescape v1.4.2 // indirect
	github.com/aws/aws-sdk-go v1.50.30 // indirect
	github.com/google/uuid v1.3.1 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/magiconair/properties v1.8.7 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	github.com/segmentio/analytics-go/v3 v3.3.0 // indirect
	github.com/segmentio/backo-go v1.0.1 // indirect
	github.com/segmentio/chamber/v2 v2.14.1 // indirect
	github.com/spf13/cobra v1.8.0 // indirect
	github.com/spf13/pflag v1.0.5 // indirect
	golang.org/x/sys v0.26.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
