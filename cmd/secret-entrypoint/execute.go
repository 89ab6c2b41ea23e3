package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// defaultPath is searched when the environment has no PATH: Docker's own default.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// commandError says why COMMAND could not be started, with the exit status for it.
type commandError struct {
	command string
	what    string
	status  int
}

func (e *commandError) Error() string { return printable.Name(e.command) + ": " + e.what }

// A command is COMMAND as execve(2) takes it.
type command struct {
	file      string // once it is found
	args, env []string
	path      string            // PATH in env
	defaults  []schema.Variable // in env, from the schema
}

// find looks for the command's file.
func (c *command) find() (problem *commandError) {
	c.file, problem = lookPath(c.args[0], c.path)
	return problem
}

// execute replaces this process by the command. It returns only when that fails.
func (c *command) execute() *commandError {
	file := c.file
	err := unix.Exec(file, c.args, c.env)
	e := &commandError{c.args[0], err.Error(), exitNotExecutable}
	switch err {
	case unix.ENOENT:
		if executable(file) == unix.ENOENT { // it went after it was found
			return commandProblem(c.args[0], file, unix.ENOENT)
		}
		e.what = fmt.Sprintf("%s exists, but the interpreter named in its first line, or its "+
			"dynamic loader, does not: install that, or use a binary made for this image",
			printable.Name(file))
	case unix.ENOEXEC:
		e.what = fmt.Sprintf("%s is no program for this machine, or a script without an "+
			"interpreter line: begin it with #!/bin/sh", printable.Name(file))
	case unix.EACCES:
		e.what = fmt.Sprintf("%s: permission denied: its file system may be mounted noexec, "+
			"or its interpreter is not executable", printable.Name(file))
	case unix.E2BIG:
		e.what = "the arguments and the environment together are larger than the kernel allows " +
			"(execve(2)): export less"
		e.status = exitFailed
	}

	return e
}

// lookPath finds the file of a command as execvp(3) does: a name with a slash is a
// path, any other is searched for in the directories of searchPath, where an empty one
// is the working directory.
func lookPath(command, searchPath string) (string, *commandError) {
	if command == "" {
		const what = "the command is empty: name a program after the options"
		return "", &commandError{"", what, exitNotFound}
	}
	if strings.Contains(command, "/") {
		if err := executable(command); err != nil {
			return "", commandProblem(command, command, err)
		}
		return command, nil
	}

	if searchPath == "" {
		searchPath = defaultPath
	}

	var denied *commandError
	for _, dir := range strings.Split(searchPath, ":") {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + command
		err := executable(file)
		if err == nil {
			return file, nil
		}
		found := commandProblem(command, file, err)
		if found.status == exitNotExecutable && denied == nil {
			denied = found
		}
	}

	if denied != nil {
		return "", denied
	}
	return "", notFound(command)
}

func commandProblem(command, file string, err error) *commandError {
	switch err {
	case unix.ENOENT, unix.ENOTDIR:
		return &commandError{command, "no such file: correct the command", exitNotFound}
	case unix.EISDIR:
		return &commandError{command, printable.Name(file) + " is a directory", exitNotExecutable}
	case unix.EACCES:
		what := fmt.Sprintf("%s is not executable: chmod +x it, or search its directory as "+
			"another user", printable.Name(file))
		return &commandError{command, what, exitNotExecutable}
	}

	what := fmt.Sprintf("%s: %v", printable.Name(file), err)
	return &commandError{command, what, exitNotExecutable}
}

// executable reports, as nil, that the effective user may execute a file.
func executable(file string) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}
