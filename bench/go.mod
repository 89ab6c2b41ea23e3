module github.com/secret-entrypoint/secret-entrypoint/bench

go 1.26.0
