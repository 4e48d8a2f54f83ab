//go:build ignore

// Makes lists/words.txt.gz of the npm package @zxcvbn-ts/language-es-es, unpacked:
//
//	npm pack @zxcvbn-ts/language-es-es@4.1.2 && tar xzf zxcvbn-ts-language-es-es-4.1.2.tgz
//	ES_PACKAGE=$PWD/package go generate ./internal/key
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"llave/bot"
)

func main() {
	var text strings.Builder
	for _, list := range []struct{ kind, file string }{{"word", "commonWords"}, {"first", "firstnames"}, {"last", "lastnames"}} {
		raw, err := os.ReadFile(filepath.Join(os.Getenv("ES_PACKAGE"), "src", list.file+".json"))
		if err != nil {
			log.Fatal(err)
		}
		var words []string
		if err := json.Unmarshal(raw, &words); err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(&text, "[%s]\n", list.kind)
		seen := map[string]bool{}
		for _, w := range words {
			w = bot.Fold(w)
			if seen[w] || strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) {
				continue
			}
			seen[w] = true
			fmt.Fprintln(&text, w)
		}
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := w.Write([]byte(text.String())); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("lists/words.txt.gz", packed.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
