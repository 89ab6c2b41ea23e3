module github.com/secret-entrypoint/secret-entrypoint/test/cluster

go 1.26.0

require (
	github.com/secret-entrypoint/secret-entrypoint v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
)

replace github.com/secret-entrypoint/secret-entrypoint => ../..
