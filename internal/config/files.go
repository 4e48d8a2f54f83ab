package config

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// inFile ends the name of a setting whose value is the content of a file, as Docker and Kubernetes hand secrets over.
const inFile = "_FILE"

// secretFileMax is how much of such a file is read: the longest secret has some hundred bytes.
const secretFileMax = 64 << 10

// SecretFile is a file that a secret was read from.
type SecretFile struct {
	Setting string // "LLAVE_SMTP_URL_FILE"
	Path    string
}

// readSecrets puts the content of the files that secrets are in into [values]. No error has the path: who mistakes one setting for
// the other has put the secret there.
func readSecrets(values map[string]string) (files []SecretFile, mistakes []error) {
	for _, name := range secrets {
		path := values[name+inFile]
		if path == "" {
			continue
		}
		if values[name] != "" {
			mistakes = append(mistakes, fmt.Errorf("%s: is set, and %s too; expected one of them", name, name+inFile))
			continue
		}
		v, err := readSecret(path)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name+inFile, err))
			values[name] = wrongValue
			continue
		}
		values[name] = v
		files = append(files, SecretFile{name + inFile, path})
	}
	return files, mistakes
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the file it names cannot be read: %w", pathless(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, secretFileMax+1))
	text := strings.TrimSpace(string(bytes.TrimPrefix(data, byteOrderMark)))
	switch {
	case err != nil:
		return "", fmt.Errorf("the file it names cannot be read: %w", pathless(err))
	case len(data) > secretFileMax:
		return "", fmt.Errorf("the file it names has more than %d KiB; expected the secret alone", secretFileMax>>10)
	case text == "":
		return "", errors.New("the file it names is empty")
	case strings.ContainsAny(text, "\r\n\x00") || !utf8.ValidString(text):
		return "", errors.New("the file it names has more than one line, or is no plain text; expected the secret alone")
	}
	return text, nil
}

// pathless is an error of the file system without the path.
func pathless(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// byteOrderMark is what some editors of Windows begin a file with.
var byteOrderMark = []byte("\xef\xbb\xbf")

// readFile returns the LLAVE_* names of a .env file. A $ is a $: godotenv would put another setting's value in its place, so it sees
// a sign that the file does not have. What godotenv says about a bad line quotes the line, which may hold a secret, so it is not
// passed on.
func readFile(path string) (map[string]string, error) {
	values := map[string]string{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return values, nil
	}
	if err != nil {
		return values, fmt.Errorf(".env: %w", err)
	}
	text := string(bytes.TrimPrefix(data, byteOrderMark))
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return values, errors.New(".env: is not UTF-8; save it as UTF-8")
	}
	dollar := signNotIn(text)
	all, err := godotenv.Unmarshal(strings.ReplaceAll(text, "$", dollar))
	if err != nil {
		return values, errors.New(".env: cannot be read; expected lines NAME=value, with quotes around values that hold spaces or #")
	}
	for name, v := range all {
		if isOurs(name) {
			values[name] = strings.ReplaceAll(v, dollar, "$")
		}
	}
	return values, nil
}

// signNotIn is a sign for private use that does not stand in the text.
func signNotIn(text string) string {
	sign := '\ue000'
	for strings.ContainsRune(text, sign) {
		sign++
	}
	return string(sign)
}

// seed makes the hashes of values worthless outside this process.
var seed = maphash.MakeSeed()

func hashes(values map[string]string) map[string]uint64 {
	all := map[string]uint64{}
	for name, v := range values {
		if v != "" {
			all[name] = maphash.String(seed, v)
		}
	}
	return all
}

// Changed returns the names of the settings that are given otherwise in [next], in order of the table.
func (c Config) Changed(next Config) (names []string) {
	for _, s := range settings {
		if c.given[s.name] != next.given[s.name] {
			names = append(names, s.name)
		}
	}
	return names
}

// SecretFiles are the files that secrets were read from.
func (c Config) SecretFiles() []SecretFile { return c.secretFiles }
