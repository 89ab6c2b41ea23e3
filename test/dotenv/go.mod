module github.com/secret-entrypoint/secret-entrypoint/test/dotenv

go 1.26.0

require (
	github.com/compose-spec/compose-go/v2 v2.16.2
	github.com/joho/godotenv v1.5.1
	github.com/secret-entrypoint/secret-entrypoint v0.0.0
	github.com/sirupsen/logrus v1.10.1
)

require (
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/secret-entrypoint/secret-entrypoint => ../..
