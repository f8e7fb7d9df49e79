package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// unreadable says why a file that was named cannot be read. name is empty where the file's
// own name could be patient data.
func unreadable(field, name string, err error) *problem.Problem {
	title, next := "cannot be read", "Name a file that is there and that you may read"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		title, next = "is not there", "Check the name, and the folder that you are in"
	case errors.Is(err, fs.ErrPermission):
		title, next = "may not be read by you", "Ask whoever owns it for leave to read it; ls -l shows who does"
	}
	return problem.BadField(field, strings.TrimSpace(name+" "+title), next).Because(err)
}

// unwritable says why a file cannot be made.
func unwritable(field, name string, err error) *problem.Problem {
	title, next := "cannot be written", "Name a file in a folder that is there, in which you may write, and on a disk with room"
	switch {
	case errors.Is(err, fs.ErrExist):
		title, next = "is there already", "Name a new file"
	case errors.Is(err, fs.ErrNotExist):
		title, next = "cannot be written: its folder is not there", "Make the folder first, or name another"
	case errors.Is(err, fs.ErrPermission):
		title, next = "cannot be written: you may not write there", "Name a folder of your own"
	}
	return problem.BadField(field, strings.TrimSpace(name+" "+title), next).Because(err)
}

// paperFormat is the form in which a paper is written, by the ending of the file's name.
func paperFormat(out string) (string, error) {
	format, ok := map[string]string{".pdf": "pdf", ".docx": "docx", ".txt": "text"}[strings.ToLower(filepath.Ext(out))]
	if !ok {
		return "", problem.BadField("out", "is of a form that is not written", "End it in .pdf, .docx or .txt")
	}
	return format, nil
}
