module github.com/secret-entrypoint/secret-entrypoint/bench/neighbours/tableflip

go 1.26

require github.com/cloudflare/tableflip v1.2.3
