package mail

import (
	"flag"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

const publicURL = "https://desbloqueo.example.org"

func sample(t testing.TB, kind Kind) Data {
	t.Helper()
	d := Data{Channel: "telegram", At: time.Date(2025, 11, 24, 13, 35, 10, 0, time.UTC)}
	d.Held = kind == RevokedKey
	if kind == Disowned {
		d.Case = "N00000000"
	}
	if kind == Monthly {
		d.Month = &Month{2025, 9, []Figure{{"Atenciones", "80009"}, {"Quejas", "0"}}}
	}
	if kind.notice() {
		return d
	}
	d.TTL = 3 * time.Minute
	d.Link = publicURL + "/desbloqueo/una-palabra-secreta"
	d.NotMe = publicURL + "/no-fui-yo/otra-palabra-secreta"
	if kind == Active || kind == Generate {
		d.Link = publicURL + "/generar/una-palabra-secreta"
	}
	return d
}

func newComposer(t testing.TB, zoneName string) *Composer {
	t.Helper()
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewComposer(ComposerOptions{PublicURL: publicURL, Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compose(t testing.TB, kind Kind, d Data) Letter {
	t.Helper()
	l, err := newComposer(t, "America/Guayaquil").Compose(kind, d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCompose_golden(t *testing.T) {
	for _, lang := range languages(t) {
		for _, kind := range Kinds {
			t.Run(filepath.Join(lang, string(kind)), func(t *testing.T) {
				d := sample(t, kind)
				d.Lang = lang
				l := compose(t, kind, d)
				if l.Lang != lang {
					return // the institution reads Spanish
				}
				golden(t, filepath.Join("testdata", lang, string(kind)+".golden"), fmt.Sprintf("Subject: %s\n\n%s\n-- html --\n%s", l.Subject, l.Text, l.HTML))
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the letter is not %s (-update rewrites it); got:\n%s", file, got)
	}
}

// languages are those of the catalogue; "" is Spanish.
func languages(t *testing.T) []string {
	t.Helper()
	files, err := fs.ReadDir(catalogue, "templates")
	if err != nil {
		t.Fatal(err)
	}
	langs := []string{""}
	for _, f := range files {
		if f.IsDir() {
			langs = append(langs, f.Name())
		}
	}
	return langs
}

// Of a letter in another language the subject and the names of what is pressed stay as they are, and what they mean stands beneath; all
// else is in that language.
func TestCompose_english(t *testing.T) {
	spanish := regexp.MustCompile(`(?i)[ñ¿¡]|\b(su|el|correo|enlace|usted|pidió|fue|sirve|llame|buen|gracias|nueva)\b`)
	for _, kind := range Kinds {
		d := sample(t, kind)
		es := compose(t, kind, d)
		d.Lang = "en"
		en := compose(t, kind, d)
		if kind.inside() {
			if en.Lang != "" || en.Text != es.Text {
				t.Error("the institution is written to in English")
			}
			continue
		}
		if en.Lang != "en" || en.Subject != es.Subject || !strings.Contains(en.HTML, `<html lang="en">`) || !strings.Contains(es.HTML, `<html lang="es">`) {
			t.Errorf("%s: language %q, subject %q", kind, en.Lang, en.Subject)
		}
		rest := strings.NewReplacer("DESBLOQUEO DE CLAVE IESS", "", "Generar / Recuperar Clave", "", "No fui yo", "", "Desbloquear", "", "(clave)", "",
			"atencionalusuario@iess.gob.ec", "", "Instituto Ecuatoriano de Seguridad Social", "", "Galápagos", "").Replace(en.Text)
		if found := spanish.FindString(rest); found != "" {
			t.Errorf("%s: %q is left:\n%s", kind, found, rest)
		}
		if d.Link == "" {
			continue
		}
		button := map[bool]string{true: "Generar / Recuperar Clave\nMake or recover your key", false: "DESBLOQUEO DE CLAVE IESS\nUnlock your IESS key"}[kind == Active || kind == Generate]
		for _, want := range []string{"\n" + button + "\n" + d.Link + "\n", "\nNo fui yo\nIt was not me\n" + d.NotMe + "\n", "works for 3 minutes", "by Telegram", "on 24 November 2025 at 08:35"} {
			if !strings.Contains(en.Text, want) {
				t.Errorf("%s: lacks %q:\n%s", kind, want, en.Text)
			}
		}
		name, means, _ := strings.Cut(button, "\n")
		if !strings.Contains(en.HTML, ">"+name+"</a>") || !strings.Contains(en.HTML, ">"+means+"</p>") {
			t.Errorf("%s: the HTML has no button %q with %q beneath", kind, name, means)
		}
	}
	d := sample(t, Unlock)
	d.Lang = "tlh"
	if l := compose(t, Unlock, d); l.Lang != "" || !strings.Contains(l.Text, "Buen día") {
		t.Errorf("a language that there is not: %q, want Spanish", l.Lang)
	}
}

// What is fixed of the letters (P209).
func TestCompose_fixedWords(t *testing.T) {
	tests := []struct {
		kind            Kind
		subject, button string
	}{
		{Unlock, "SOLICITUD DESBLOQUEO DE CLAVE", "DESBLOQUEO DE CLAVE IESS"},
		{Active, "SOLICITUD DESBLOQUEO DE CLAVE", "Generar / Recuperar Clave"},
		{Generate, "SOLICITUD GENERAR CLAVE", "Generar / Recuperar Clave"},
		{GenerateLocked, "SOLICITUD GENERAR CLAVE", "DESBLOQUEO DE CLAVE IESS"},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			d := sample(t, tt.kind)
			l := compose(t, tt.kind, d)
			if l.Subject != tt.subject {
				t.Errorf("subject is %q, want %q", l.Subject, tt.subject)
			}
			for name, link := range map[string]string{tt.button: d.Link, "No fui yo": d.NotMe} {
				if want := "\n" + name + "\n" + link + "\n"; !strings.Contains(l.Text, want) {
					t.Errorf("text has no lines %q:\n%s", want, l.Text)
				}
				if got := strings.Count(l.HTML, fmt.Sprintf("href=%q", link)); got != 1 {
					t.Errorf("HTML links %s %d times, want once", link, got)
				}
				if !strings.Contains(l.HTML, ">"+name+"</a>") {
					t.Errorf("HTML has no link that reads %q", name)
				}
			}
			for _, want := range []string{"3 minutos", "por Telegram", "24 de noviembre de 2025, a las 08:35"} {
				if !strings.Contains(l.Text, want) || !strings.Contains(l.HTML, want) {
					t.Errorf("%q is missing", want)
				}
			}
		})
	}
}

// The life is told in whole minutes, and never as longer than it is.
func TestCompose_life(t *testing.T) {
	for life, want := range map[time.Duration][2]string{
		time.Minute:                         {"durante 1 minuto desde", "for 1 minute after"},
		5 * time.Minute:                     {"durante 5 minutos desde", "for 5 minutes after"},
		2*time.Minute + 59*time.Second:      {"sirve menos de 3 minutos desde", "for less than 3 minutes after"},
		90 * time.Second:                    {"sirve menos de 2 minutos desde", "for less than 2 minutes after"},
		time.Millisecond:                    {"sirve menos de 1 minuto desde", "for less than 1 minute after"},
		3*time.Minute - 20*time.Millisecond: {"durante 3 minutos desde", "for 3 minutes after"},
	} {
		for i, lang := range []string{"", "en"} {
			d := sample(t, Unlock)
			d.TTL, d.Lang = life, lang
			if l := compose(t, Unlock, d); !strings.Contains(l.Text, want[i]) || !strings.Contains(l.HTML, want[i]) {
				t.Errorf("a life of %v is not told as %q", life, want[i])
			}
		}
	}
}

func TestCompose_channelsAndMonths(t *testing.T) {
	d := sample(t, Unlock)
	for channel, want := range map[string]string{
		"telegram": "pidió por Telegram desbloquear",
		"whatsapp": "pidió por WhatsApp desbloquear",
		"web":      "pidió por el chat de la página web desbloquear",
		"terminal": "pidió por el chat de la terminal desbloquear",
		"":         "pidió desbloquear",
		"pigeon":   "pidió desbloquear",
	} {
		d.Channel = channel
		if l := compose(t, Unlock, d); !strings.Contains(l.Text, want) {
			t.Errorf("channel %q is not told as %q:\n%s", channel, want, l.Text)
		}
	}
	months := strings.Fields("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")
	for i, month := range months {
		d.At = time.Date(2026, time.Month(i+1), 9, 12, 0, 0, 0, time.UTC)
		if l := compose(t, Unlock, d); !strings.Contains(l.Text, "el 9 de "+month+" de 2026, a las 07:00 (hora de Ecuador continental)") {
			t.Errorf("month %d is not told as %s", i+1, month)
		}
	}
	for zone, want := range map[string]string{
		"Pacific/Galapagos": "a las 06:00 (hora de Galápagos)",
		"America/Bogota":    "a las 07:00 (UTC-05:00)",
	} {
		l, err := newComposer(t, zone).Compose(Unlock, d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(l.Text, want) {
			t.Errorf("%s: the time is not told as %q:\n%s", zone, want, l.Text)
		}
	}
}

func TestCompose_refused(t *testing.T) {
	tests := []struct {
		name   string
		kind   Kind
		change func(*Data)
		want   string
	}{
		{"unknown kind", "pigeon", func(*Data) {}, "no kind"},
		{"no time", Unlock, func(d *Data) { d.At = time.Time{} }, "time"},
		{"no link", Unlock, func(d *Data) { d.Link = "" }, "link is missing"},
		{"no way to object", Generate, func(d *Data) { d.NotMe = "" }, "link is missing"},
		{"life is over", Active, func(d *Data) { d.TTL = -time.Second }, "life"},
		{"foreign host", Unlock, func(d *Data) { d.Link = "https://desbloqueo.example.com/desbloqueo/una-palabra-secreta" }, "not ours"},
		{"host in front of an @", Unlock, func(d *Data) { d.NotMe = "https://desbloqueo.example.org@example.com/una-palabra-secreta" }, "not ours"},
		{"misprint of the sheet", Unlock, func(d *Data) { d.Link = "https://www.iesg.gob.ec/una-palabra-secreta" }, "not ours"},
		{"script", Unlock, func(d *Data) { d.Link = "javascript:alert('una-palabra-secreta')" }, "not ours"},
		{"less than https", Unlock, func(d *Data) { d.Link = "http://desbloqueo.example.org/una-palabra-secreta" }, "not ours"},
		{"notice with a link", Unlocked, func(d *Data) { d.Link = publicURL }, "no link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sample(t, tt.kind)
			tt.change(&d)
			_, err := newComposer(t, "UTC").Compose(tt.kind, d)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "secreta") {
				t.Errorf("the error holds the link: %v", err)
			}
		})
	}
}

var (
	hostLike = regexp.MustCompile(`[\w-]+(\.[\w-]+)*\.(ec|org|com|net|jsf\w*|html?)\b`)
	hrefs    = regexp.MustCompile(`href="([^"]*)"`)
)

// Official hosts and the public address, and nobody else's, are all that a letter may name.
func TestCompose_allowedHosts(t *testing.T) {
	allowed := []string{"www.iess.gob.ec", "app.iess.gob.ec", "iess.gob.ec", "desbloqueo.example.org"} // the third in the e-mail address
	for _, kind := range Kinds {
		d := sample(t, kind)
		l := compose(t, kind, d)
		d.Lang = "en"
		l.HTML += compose(t, kind, d).HTML
		for _, host := range hostLike.FindAllString(l.Text+l.HTML, -1) {
			if !slices.Contains(allowed, host) {
				t.Errorf("%s names %s", kind, host)
			}
		}
		for _, m := range hrefs.FindAllStringSubmatch(l.HTML, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s links to what is no address: %v", kind, err)
				continue
			}
			switch ok := slices.Contains(allowed, u.Host); {
			case u.Scheme == "https" && ok, m[1] == "mailto:atencionalusuario@iess.gob.ec", m[1] == "tel:023945666":
			default:
				t.Errorf("%s links to %s", kind, m[1])
			}
		}
		for _, never := range []string{"<img", "<script", "<link", "url(", "src=", "iesg", "jsfb"} {
			if strings.Contains(l.HTML, never) {
				t.Errorf("%s holds %q", kind, never)
			}
		}
	}
}

// The misprints of the procedure sheet never reach anybody, not from a template that no letter uses either.
func TestCatalogue_misprints(t *testing.T) {
	err := fs.WalkDir(catalogue, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(catalogue, name)
		for _, never := range []string{"iesg.gob.ec", ".jsfb", "contraseña"} {
			if strings.Contains(string(b), never) {
				t.Errorf("%s holds %q", name, never)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Text and what it stands on, by the letter's classes. What is pressed is the same by day and by night, but for its edge.
var stands = []struct{ text, ground string }{
	{"ground", "ground"}, {"card", "card"}, {"quiet", "quiet"}, {"link", "ground"}, {"soft", "ground"}, {"soft", "card"},
}

// The letter has the pages' colours and no others, and a contrast of 7:1 or better (WCAG 1.4.6) in light and in dark; the edge of what is
// pressed has 3:1.
func TestLetter_colours(t *testing.T) {
	css, err := os.ReadFile("../web/assets/llave.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Kinds {
		for _, colour := range colours.FindAllString(compose(t, kind, sample(t, kind)).HTML, -1) {
			if !strings.Contains(string(css), colour) {
				t.Errorf("%s: %s is no colour of the pages", kind, colour)
			}
		}
	}
	html := compose(t, Unlock, sample(t, Unlock)).HTML
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`class="([a-z]+)"[^>]*style="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		light[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`\n\.([a-z]+) \{([^}]*)\}`).FindAllStringSubmatch(html, -1) {
		dark[m[1]] = strings.ReplaceAll(strings.ReplaceAll(m[2], " !important", ""), ": ", ":")
		if strings.Count(m[2], ";") != strings.Count(m[2], "!important;") {
			t.Errorf("%s: what stands in the element itself is stronger", m[1])
		}
	}
	for name, css := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, s := range stands {
			text, ground := value(css[s.text], "color"), value(css[s.ground], "background")
			if got := contrast(t, text, ground); got < 7 {
				t.Errorf("%s: %s (%s) on %s (%s) has a contrast of %.1f, want 7 or more", name, s.text, text, s.ground, ground, got)
			}
		}
		edge := value(css["act"], "border-color")
		if name == "light" {
			edge = value(css["act"], "border")
		}
		if got := contrast(t, edge, value(css["card"], "background")); got < 3 {
			t.Errorf("%s: the edge of the button has a contrast of %.1f, want 3 or more", name, got)
		}
	}
	if got := contrast(t, value(light["act"], "color"), value(light["act"], "background")); got < 7 {
		t.Errorf("the button has a contrast of %.1f, want 7 or more", got)
	}
	for _, m := range regexp.MustCompile(`font-size:(\d+)px`).FindAllStringSubmatch(html, -1) {
		if len(m[1]) < 2 || m[1] < "16" {
			t.Errorf("a text has %s px, want 16 or more", m[1])
		}
	}
}

var colours = regexp.MustCompile(`#[0-9a-f]{6}`)

// value is the colour that a property has in a list of declarations.
func value(css, property string) string {
	for d := range strings.SplitSeq(css, ";") {
		if name, v, _ := strings.Cut(strings.TrimSpace(d), ":"); name == property {
			return colours.FindString(v)
		}
	}
	return ""
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var rgb [3]int
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatal(err)
	}
	var lin [3]float64
	for i, v := range rgb {
		c := float64(v) / 255
		if lin[i] = c / 12.92; c > 0.04045 {
			lin[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*lin[0] + 0.7152*lin[1] + 0.0722*lin[2]
}
