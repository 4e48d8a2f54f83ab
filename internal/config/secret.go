package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"llave/internal/secret"
)

// Secret is a setting that must not be seen.
type Secret = secret.Text

// secretKeyFile is where the embedded store's key lies, in the data directory.
const secretKeyFile = "secret.key"

// EnsureSecretKey returns the keys in DATA_DIR/secret.key and makes the file first, readable by its owner alone, where
// there is none. Two processes that start at once get the same one. Losing the file is losing what it protects, so it
// is on the disk before anything is done with it.
func EnsureSecretKey(dataDir string) (secret.Keys, error) {
	path := filepath.Join(dataDir, secretKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeSecretKey(dataDir, path); err == nil {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	keys, err := secret.ParseKeys(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("secret key: %s: %w", path, err)
	}
	return keys, nil
}

// SecretKeyPath is where the embedded store's key lies.
func SecretKeyPath(dataDir string) string { return filepath.Join(dataDir, secretKeyFile) }

// FindSecretKey returns the keys in DATA_DIR/secret.key and makes nothing: where there is no file the error is fs.ErrNotExist.
func FindSecretKey(dataDir string) (secret.Keys, error) {
	text, err := os.ReadFile(SecretKeyPath(dataDir))
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	keys, err := secret.ParseKeys(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return keys, nil
}

// makeSecretKey writes a whole file under another name first and then links it into place, which only one can.
func makeSecretKey(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, secretKeyFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(secret.NewDataKey()))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ErasuresInside is the copy of the log of erasures in the data directory.
const ErasuresInside = "erasures"

// ErasureLogPath is the file with the embedded store's log of erasures: beside the data directory, unless a setting names another.
func (c Config) ErasureLogPath() (string, error) {
	if c.ErasureLog != "" {
		return filepath.Abs(c.ErasureLog)
	}
	dir, err := filepath.Abs(c.DataDir)
	return dir + ".erasures", err
}

// ErasureLogIsInside says that the log is in the data directory itself, where a backup that is put back as a whole takes it back too.
func (c Config) ErasureLogIsInside() bool {
	path, err := c.ErasureLogPath()
	if err != nil {
		return false
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return false
	}
	in, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(in)
}

// ErasureLogIsLost says that there was a log, as its copy in the data directory shows, and that it is not there any more.
func (c Config) ErasureLogIsLost() bool {
	path, err := c.ErasureLogPath()
	if err != nil {
		return false
	}
	_, lost := os.Stat(path)
	_, there := os.Stat(filepath.Join(c.DataDir, ErasuresInside))
	return errors.Is(lost, fs.ErrNotExist) && there == nil
}
