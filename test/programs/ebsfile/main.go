// The files of an ext4 file system inside a snapshot, read where they are through go-ebs-file, the
// library by which trivy scans snapshots, for ebsfile.test.ts. Standard output carries one JSON
// line for each file. The environment says which service to call, the one argument names the
// snapshot.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"

	ebsfile "github.com/masahiro331/go-ebs-file"
	"github.com/masahiro331/go-ext4-filesystem/ext4"
)

func main() {
	client := must(ebsfile.New(context.Background()))
	volume := must(ebsfile.Open(os.Args[1], context.Background(), nil, client))
	files := must(ext4.NewFS(*volume, nil))
	must(0, fs.WalkDir(files, "/", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		bytes, err := fs.ReadFile(files, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		digest := sha256.Sum256(bytes)
		line := map[string]any{"path": path, "size": len(bytes), "sha256": hex.EncodeToString(digest[:])}
		fmt.Println(string(must(json.Marshal(line))))
		return nil
	}))
}

// must ends the program where a call that has to succeed does not.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}
