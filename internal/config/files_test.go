package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"llave/internal/config"
	"llave/internal/secret"
)

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A $ in .env is a $, however it is quoted; a byte order mark does no harm.
func TestLoad_fileAsItStands(t *testing.T) {
	for _, c := range []struct{ text, token string }{
		{`LLAVE_WHATSAPP_TOKEN="abc$DEF9"`, "abc$DEF9"},
		{`LLAVE_WHATSAPP_TOKEN=abc$DEF9`, "abc$DEF9"},
		{`LLAVE_WHATSAPP_TOKEN='abc$DEF9'`, "abc$DEF9"},
		{`LLAVE_WHATSAPP_TOKEN="abc${DEF9}"`, "abc${DEF9}"},
		{`LLAVE_WHATSAPP_TOKEN=abc$LLAVE_HTTP_ADDR`, "abc$LLAVE_HTTP_ADDR"},
		{`LLAVE_WHATSAPP_TOKEN="a$$b"`, "a$$b"},
		{`LLAVE_WHATSAPP_TOKEN=$`, "$"},
		{"LLAVE_WHATSAPP_TOKEN=\ue000$\ue001", "\ue000$\ue001"},
		{"LLAVE_WHATSAPP_TOKEN=abc\r", "abc"},
	} {
		for _, mark := range []string{"", "\ufeff"} {
			dir := t.TempDir()
			put(t, dir, ".env", mark+c.text+"\nLLAVE_HTTP_ADDR=:1\nLLAVE_WHATSAPP_PHONE_NUMBER_ID=1\nLLAVE_WHATSAPP_APP_SECRET=a\nLLAVE_WHATSAPP_VERIFY_TOKEN=b\n")
			got, err := config.Load(nil, dir)
			if err != nil || got.WhatsApp.Token.Reveal() != c.token || got.HTTPAddr != ":1" {
				t.Errorf("%q: got %q, %v, want %q", mark+c.text, got.WhatsApp.Token.Reveal(), err, c.token)
			}
		}
	}
	dir := t.TempDir()
	put(t, dir, ".env", "\xff\xfeL\x00L\x00")
	if _, err := config.Load(nil, dir); err == nil || err.Error() != ".env: is not UTF-8; save it as UTF-8" {
		t.Errorf("UTF-16: got %v", err)
	}
}

// Every setting that holds a secret can be given as a file, and none other.
func TestLoad_secretFiles(t *testing.T) {
	values := map[string]string{
		"LLAVE_MONGODB_URI": "mongodb://u:p@db.example/", "LLAVE_SECRET_KEY": aKey + ", " + aKey, "LLAVE_TELEGRAM_TOKEN": "1:abc",
		"LLAVE_TELEGRAM_WEBHOOK_SECRET": "hook", "LLAVE_WHATSAPP_TOKEN": "wa$token", "LLAVE_WHATSAPP_APP_SECRET": "app", "LLAVE_WHATSAPP_VERIFY_TOKEN": "verify",
		"LLAVE_SMTP_URL": "smtps://u:p@mail.example:465", "LLAVE_EVENTS_SECRET": "whsec_" + aKey,
	}
	dir := t.TempDir()
	plain := []string{"LLAVE_WHATSAPP_PHONE_NUMBER_ID=1", "LLAVE_EVENTS_URL=https://iam.example/hook"}
	files := slices.Clone(plain)
	for name, v := range values {
		plain = append(plain, name+"="+v)
		files = append(files, name+"_FILE="+put(t, dir, name, "\ufeff"+v+"\r\n"))
	}
	want, err := config.Load(plain, dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(files, dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.SecretFiles()); n != len(values) {
		t.Errorf("%d files are known, want %d", n, len(values))
	}
	if changed := want.Changed(got); len(changed) > 0 {
		t.Errorf("read from files, %v are different", changed)
	}
	for i := range reflect.TypeFor[config.Config]().NumField() {
		f := reflect.TypeFor[config.Config]().Field(i)
		holds := f.IsExported() && secretsIn(f.Type)
		if holds && !reflect.DeepEqual(reflect.ValueOf(got).Field(i).Interface(), reflect.ValueOf(want).Field(i).Interface()) {
			t.Errorf("%s is another when it is read from a file", f.Name)
		} else if holds && reflect.ValueOf(got).Field(i).IsZero() {
			t.Errorf("%s holds a secret and cannot be given as a file", f.Name)
		}
	}
	if _, err := config.Load([]string{"LLAVE_LINK_TTL_FILE=a"}, dir); err == nil || !strings.Contains(err.Error(), "there is no such setting") {
		t.Errorf("what is no secret, as a file: got %v", err)
	}
}

func secretsIn(t reflect.Type) bool {
	return slices.Contains([]reflect.Type{reflect.TypeFor[config.Secret](), reflect.TypeFor[secret.Keys](), reflect.TypeFor[config.WhatsApp]()}, t)
}

// What is wrong with such a file is said by the setting's name, without the path: it may be the secret itself, put there by mistake.
func TestLoad_secretFileRefused(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		what string
		set  []string
		want string
	}{
		{"both", []string{"LLAVE_TELEGRAM_TOKEN=1:hidden", "LLAVE_TELEGRAM_TOKEN_FILE=" + put(t, dir, "a", "1:hidden")}, "LLAVE_TELEGRAM_TOKEN: is set, and LLAVE_TELEGRAM_TOKEN_FILE too; expected one of them"},
		{"the secret for the path", []string{"LLAVE_TELEGRAM_TOKEN_FILE=1:hidden"}, "LLAVE_TELEGRAM_TOKEN_FILE: the file it names cannot be read: no such file or directory"},
		{"a folder", []string{"LLAVE_TELEGRAM_TOKEN_FILE=" + dir}, "LLAVE_TELEGRAM_TOKEN_FILE: the file it names cannot be read: is a directory"},
		{"empty", []string{"LLAVE_TELEGRAM_TOKEN_FILE=" + put(t, dir, "b", " \n")}, "LLAVE_TELEGRAM_TOKEN_FILE: the file it names is empty"},
		{"two lines", []string{"LLAVE_TELEGRAM_TOKEN_FILE=" + put(t, dir, "c", "1:hidden\n2:hidden\n")}, "LLAVE_TELEGRAM_TOKEN_FILE: the file it names has more than one line, or is no plain text; expected the secret alone"},
		{"large", []string{"LLAVE_TELEGRAM_TOKEN_FILE=" + put(t, dir, "d", strings.Repeat("hidden", 20_000))}, "LLAVE_TELEGRAM_TOKEN_FILE: the file it names has more than 64 KiB; expected the secret alone"},
		{"wrong inside", []string{"LLAVE_TELEGRAM_TOKEN_FILE=" + put(t, dir, "e", "hidden")}, "LLAVE_TELEGRAM_TOKEN_FILE: is no bot token; expected digits, a colon, and letters, as BotFather shows it"},
	} {
		if _, err := config.Load(c.set, dir); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.what, err, c.want)
		}
	}
}

// The environment wins over .env, given in either manner.
func TestLoad_secretFileOverFile(t *testing.T) {
	dir := t.TempDir()
	inFile := put(t, dir, "token", "1:file")
	for _, c := range []struct{ what, dotEnv, env, want string }{
		{"a file in the environment", "LLAVE_TELEGRAM_TOKEN=1:plain", "LLAVE_TELEGRAM_TOKEN_FILE=" + inFile, "1:file"},
		{"a file in .env", "LLAVE_TELEGRAM_TOKEN_FILE=" + inFile, "LLAVE_TELEGRAM_TOKEN=1:plain", "1:plain"},
		{"a file in .env that is gone", "LLAVE_TELEGRAM_TOKEN_FILE=/gone", "LLAVE_TELEGRAM_TOKEN=1:plain", "1:plain"},
		{"empty in the environment", "LLAVE_TELEGRAM_TOKEN_FILE=" + inFile, "LLAVE_TELEGRAM_TOKEN=", "1:file"},
	} {
		put(t, dir, ".env", c.dotEnv+"\n")
		if got, err := config.Load([]string{c.env}, dir); err != nil || got.TelegramToken.Reveal() != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.what, got.TelegramToken.Reveal(), err, c.want)
		}
	}
	put(t, dir, ".env", "LLAVE_TELEGRAM_TOKEN_FILE="+inFile+"\nLLAVE_TELEGRAM_TOKEN=1:plain\n")
	if _, err := config.Load(nil, dir); err == nil {
		t.Error("both in .env are taken")
	}
}

// An address of MongoDB whose password is escaped is taken as it is, with several hosts, a port, and options.
func TestLoad_mongoAddresses(t *testing.T) {
	for _, uri := range []string{
		"mongodb://db", "mongodb://db/", "mongodb://db:27017/?replicaSet=rs0", "mongodb://u:P%40Toro%2F7@db.example:27017,db2.example:27018/llave?authSource=admin",
		"mongodb+srv://u:p@cluster.example/", "mongodb://[::1]:27017/", "mongodb://u@db/", "mongodb://%2Ftmp%2Fmongodb-27017.sock/", "mongodb://u:p$!&'()*+,;=~-._p@db/", "mongodb://db?tls=true",
	} {
		c, err := config.Load([]string{"LLAVE_MONGODB_URI=" + uri, "LLAVE_SECRET_KEY=" + aKey}, t.TempDir())
		if err != nil || c.MongoDBURI.Reveal() != uri {
			t.Errorf("%s: got %v", uri, err)
		}
	}
}

func TestConfig_changed(t *testing.T) {
	load := func(environ ...string) config.Config {
		t.Helper()
		c, err := config.Load(environ, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := load("LLAVE_TELEGRAM_TOKEN=1:a", "LLAVE_LINK_TTL=3m", "LLAVE_HTTP_ADDR=:1")
	next := load("LLAVE_TELEGRAM_TOKEN=1:b", "LLAVE_LOG_LEVEL=debug", "LLAVE_HTTP_ADDR=:1")
	if got, want := was.Changed(next), []string{"LLAVE_TELEGRAM_TOKEN", "LLAVE_LINK_TTL", "LLAVE_LOG_LEVEL"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
