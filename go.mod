module github.com/secret-entrypoint/secret-entrypoint

go 1.26.0

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/rogpeppe/go-internal v1.16.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.45.0
)

require golang.org/x/tools v0.26.0 // indirect
