package doctor

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// write makes a file in a folder of its own.
func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// folder is a data directory with a mode, and a file in it.
func folder(t *testing.T, mode os.FileMode, name, text string, fileMode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if name != "" {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, fileMode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		set   []string
		check string
		want  Status
		words string
	}{
		"telegram":               {[]string{"LLAVE_TELEGRAM_TOKEN=" + botToken}, "channels", Green, "Telegram by polling"},
		"no channel":             {nil, "channels", Yellow, "no channel is on"},
		"public":                 {[]string{"LLAVE_PUBLIC_URL=https://clave.example"}, "public address", Green, "https://clave.example"},
		"this machine":           {nil, "public address", Yellow, "leads to this machine"},
		"no proxy":               {nil, "proxies", Green, "none"},
		"an empty notice":        {nil, "privacy notice", Yellow, "nor who protects data"},
		"a notice without whom":  {[]string{"LLAVE_PRIVACY_ADDRESS=Calle de Prueba 1"}, "privacy notice", Yellow, "who protects data"},
		"a proxy":                {[]string{"LLAVE_TRUSTED_PROXIES=10.0.0.1"}, "proxies", Green, "1 trusted"},
		"https without":          {[]string{"LLAVE_PUBLIC_URL=https://clave.example"}, "proxies", Yellow, "none is trusted"},
		"everybody":              {[]string{"LLAVE_TRUSTED_PROXIES=10.0.0.1,0.0.0.0/0"}, "proxies", Red, "everybody"},
		"half of everybody":      {[]string{"LLAVE_TRUSTED_PROXIES=128.0.0.0/1"}, "proxies", Yellow, "128.0.0.0/1 is a trusted proxy"},
		"everybody, IPv6":        {[]string{"LLAVE_TRUSTED_PROXIES=::/0"}, "proxies", Red, "everybody"},
		"sender":                 {nil, "sender", Green, "correo.example"},
		"sender on this machine": {[]string{"LLAVE_MAIL_FROM=IESS <no-responder@localhost>"}, "sender", Yellow, "localhost"},
		"zone":                   {nil, "time zone", Green, "America/Guayaquil"},
		"zone of the islands":    {[]string{"LLAVE_TIMEZONE=Pacific/Galapagos"}, "time zone", Green, "Galapagos"},
		"another zone":           {[]string{"LLAVE_TIMEZONE=Europe/Madrid"}, "time zone", Yellow, "Europe/Madrid, where it is 13:00 now"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t).set(tt.set...)
			c.opt.Now = func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }
			c.opt.Within = time.Second
			c.findsIn("settings", tt.check, tt.want, tt.words)
		})
	}
}

func TestFiles(t *testing.T) {
	const offices = "name,province,city,address\nCentro de prueba Norte,Pichincha,Quito,Calle de Prueba 1\n"
	const header = "name,province,city,address\n"
	same := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	data := func(dir string) []string { return []string{"LLAVE_DATA_DIR=" + dir} }
	for name, tt := range map[string]struct {
		set   []string
		check string
		want  Status
		words string
	}{
		"no folder yet":            {nil, "data directory", Green, "will be made"},
		"folder":                   {data(folder(t, 0o700, "", "", 0)), "data directory", Green, "for its owner alone"},
		"folder of the group":      {data(folder(t, 0o750, "", "", 0)), "data directory", Yellow, "look into"},
		"folder to look into":      {data(folder(t, 0o755, "", "", 0)), "data directory", Yellow, "look into"},
		"folder of everybody":      {data(folder(t, 0o777, "", "", 0)), "data directory", Red, "everybody"},
		"folder is a file":         {data(write(t, "data", "", 0o600)), "data directory", Red, "is no folder"},
		"folder below a file":      {data(filepath.Join(write(t, "data", "", 0o600), "x")), "data directory", Red, ""},
		"folder cannot be written": {data("/proc/self"), "data directory", Red, "cannot be written"},
		"no store yet":             {nil, "store file", Green, "will be made"},
		"store":                    {data(folder(t, 0o700, "llave.db", "", 0o600)), "store file", Green, "for its owner alone"},
		"store of the group":       {data(folder(t, 0o700, "llave.db", "", 0o640)), "store file", Yellow, "group"},
		"store of everybody":       {data(folder(t, 0o700, "llave.db", "", 0o604)), "store file", Red, "everybody"},
		"no key yet":               {nil, "secret key", Green, "will be made"},
		"key in its file":          {data(folder(t, 0o700, "secret.key", secretKey, 0o600)), "secret key", Green, "for its owner alone"},
		"key of everybody":         {data(folder(t, 0o700, "secret.key", secretKey, 0o644)), "secret key", Red, "everybody"},
		"key is none":              {data(folder(t, 0o700, "secret.key", "abc", 0o600)), "secret key", Red, "at least 32"},
		"key set":                  {[]string{"LLAVE_SECRET_KEY=" + secretKey}, "secret key", Green, "set"},
		"key being rotated":        {[]string{"LLAVE_SECRET_KEY=" + secretKey + "," + secretKey}, "secret key", Yellow, "2 keys"},
		"key not random":           {[]string{"LLAVE_SECRET_KEY=" + same}, "secret key", Red, "1 different bytes"},
		"offices":                  {[]string{"LLAVE_OFFICES_FILE=" + write(t, "offices.csv", offices, 0o644)}, "offices", Green, "1 offices"},
		"no offices":               {nil, "offices", Yellow, "no office"},
		"offices with none":        {[]string{"LLAVE_OFFICES_FILE=" + write(t, "offices.csv", header, 0o644)}, "offices", Yellow, "no office"},
		"offices wrong":            {[]string{"LLAVE_OFFICES_FILE=" + write(t, "offices.csv", offices+"only,two\n", 0o644)}, "offices", Red, "line 3"},
		"offices missing":          {[]string{"LLAVE_OFFICES_FILE=/nowhere/offices.csv"}, "offices", Red, "/nowhere/offices.csv"},
		"secret file":              {[]string{"LLAVE_TELEGRAM_TOKEN_FILE=" + write(t, "token", botToken+"\n", 0o400)}, "LLAVE_TELEGRAM_TOKEN_FILE", Green, "for its owner alone"},
		"secret file of everybody": {[]string{"LLAVE_TELEGRAM_TOKEN_FILE=" + write(t, "token", botToken+"\n", 0o444)}, "LLAVE_TELEGRAM_TOKEN_FILE", Yellow, "everybody"},
		"no stolen keys":           {nil, "stolen keys", Green, "no list"},
		"stolen keys":              {[]string{"LLAVE_BREACHED_FILE=" + write(t, "stolen", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1\n", 0o644)}, "stolen keys", Green, "searched"},
		"stolen keys wrong":        {[]string{"LLAVE_BREACHED_FILE=" + write(t, "stolen", "password\n", 0o644)}, "stolen keys", Red, "SHA-1"},
		"model":                    {nil, "model", Green, "built in"},
		"model wrong":              {[]string{"LLAVE_MODEL_FILE=" + write(t, "model", "hello", 0o644)}, "model", Red, "LLAVE_MODEL_FILE"},
		"catalogue":                {nil, "catalogue", Green, "every text"},
	} {
		t.Run(name, func(t *testing.T) {
			newClinic(t).set(tt.set...).findsIn("files", tt.check, tt.want, tt.words)
		})
	}
	c := newClinic(t)
	c.opt.Flow = func() error { return errors.New("en.toml: the text menu.ask is missing") }
	c.findsIn("files", "catalogue", Red, "menu.ask")
	for mode, want := range map[os.FileMode]Status{0o600: Green, 0o640: Yellow, 0o644: Red} {
		c := newClinic(t)
		c.opt.EnvFile = write(t, ".env", "LLAVE_X=1\n", mode)
		c.findsIn("files", ".env", want, "")
	}
}

// Where erasures are noted is judged as the rest: elsewhere than what a backup puts back, in a folder that is there, and there at all (P723).
func TestFiles_erasureLog(t *testing.T) {
	moved := folder(t, 0o700, "erasures", "", 0o600)
	for name, tt := range map[string]struct {
		set   []string
		want  Status
		words string
	}{
		"before the first start": {[]string{"LLAVE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, Green, "will be made"},
		"in the data directory":  {[]string{"LLAVE_DATA_DIR=" + moved, "LLAVE_ERASURE_LOG=" + filepath.Join(moved, "log")}, Yellow, "takes it back too"},
		"its copy":               {[]string{"LLAVE_DATA_DIR=" + moved, "LLAVE_ERASURE_LOG=" + filepath.Join(moved, "erasures")}, Yellow, "takes it back too"},
		"gone":                   {[]string{"LLAVE_DATA_DIR=" + moved}, Yellow, "is gone"},
		"in no folder":           {[]string{"LLAVE_ERASURE_LOG=" + filepath.Join(t.TempDir(), "no", "log")}, Red, "is no folder"},
		"a folder":               {[]string{"LLAVE_ERASURE_LOG=" + t.TempDir()}, Red, "is a folder"},
		"there":                  {[]string{"LLAVE_ERASURE_LOG=" + write(t, "log", "", 0o600)}, Green, "for its owner alone"},
		"open to others":         {[]string{"LLAVE_ERASURE_LOG=" + write(t, "log", "", 0o644)}, Red, "which chats were erased"},
	} {
		t.Run(name, func(t *testing.T) {
			newClinic(t).set(tt.set...).findsIn("files", "erasure log", tt.want, tt.words)
		})
	}
}

func TestFiles_disk(t *testing.T) {
	const gib, mib = 1 << 30, 1 << 20
	for name, tt := range map[string]struct {
		free, total uint64
		err         error
		want        Status
		words       string
	}{
		"plenty":        {50 * gib, 100 * gib, nil, Green, "51200 MiB"},
		"little":        {500 * mib, 5 * gib, nil, Yellow, "500 MiB of 5120"},
		"little of all": {4 * gib, 100 * gib, nil, Yellow, "4096 MiB"},
		"none":          {100 * mib, 100 * gib, nil, Red, "100 MiB"},
		"not known":     {0, 0, errors.ErrUnsupported, Green, "not known"},
		"broken":        {0, 0, errors.New("input/output error"), Red, "input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			c.opt.Disk = func(string) (uint64, uint64, error) { return tt.free, tt.total, tt.err }
			c.findsIn("files", "disk", tt.want, tt.words)
		})
	}
	free, total, err := diskSpace(t.TempDir())
	if !errors.Is(err, errors.ErrUnsupported) && (err != nil || free == 0 || total < free) {
		t.Errorf("the system's disk: %d of %d, %v", free, total, err)
	}
	if _, _, err := diskSpace("/nowhere"); err == nil {
		t.Error("a folder that is not there has room")
	}
}
