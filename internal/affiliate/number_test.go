package affiliate

import (
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"llave/bot"
	"llave/internal/secret"
)

func readCSV(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

// TestParseNumber_cedulas shows P113.
func TestParseNumber_cedulas(t *testing.T) {
	rows := readCSV(t, "cedulas.csv")
	if got, want := len(rows), 1434; got != want {
		t.Fatalf("rows: got %d, want %d", got, want)
	}
	for _, row := range rows {
		got := ParseNumber(row["input"], ParseOptions{})
		if string(got.Verdict) != row["reaction"] {
			t.Errorf("%s (%s): got %s, want %s", row["input"], row["category"], got.Verdict, row["reaction"])
		}
		if n := len(strings.ReplaceAll(row["input"], "-", "")); got.Digits != n {
			t.Errorf("%s: got %d digits, want %d", row["input"], got.Digits, n)
		}
		if row["valid"] == "1" && !CheckDigit(got.Number) {
			t.Errorf("%s: check digit fails, python-stdnum takes it", row["input"])
		}
		if code := ParseNumber(row["input"], ParseOptions{ForeignCode: regexp.MustCompile(`.*`)}); code.Verdict == CodeGiven {
			t.Errorf("%s: digits alone were taken for a foreigner's code", row["input"])
		}
	}
}

func TestParseNumber_inputs(t *testing.T) {
	verdicts := map[string]Verdict{
		"+593991234567": PhoneGiven, "Mi clave es 123456": SecretGiven, "1714307103 y 0926687856": TwoNumbers,
		"": NoNumber, "no me acuerdo": Forgotten, "17143071": AskLength, "soy extranjero": WantsForeign, "?": NoNumber,
		"0991234567": PhoneOrTypo, "099 123 4567": PhoneOrTypo, "171430710": AskLength,
	}
	rows := readCSV(t, "cedula_inputs.csv")
	if got, want := len(rows), 39; got != want {
		t.Fatalf("rows: got %d, want %d", got, want)
	}
	for _, row := range rows {
		got := ParseNumber(row["raw"], ParseOptions{})
		if got.Number != row["expected_digits"] {
			t.Errorf("%q (%s): got %q, want %q", row["raw"], row["note"], got.Number, row["expected_digits"])
		}
		want, ok := verdicts[row["raw"]]
		if !ok {
			want = Accept
		}
		if got.Verdict != want {
			t.Errorf("%q (%s): got %s, want %s", row["raw"], row["note"], got.Verdict, want)
		}
	}
}

func TestParseNumber_tolerance(t *testing.T) {
	const n = "1714307103"
	for _, tc := range []struct {
		text    string
		verdict Verdict
		number  string
	}{
		{"CI1714307103", Accept, n},
		{"C.I.: 171430710-3", Accept, n},
		{"C.I. No. 171430710-3", Accept, n},
		{"N.º 1714307103", Accept, n},
		{"nº1714307103", Accept, n},
		{"cédula1714307103", Accept, n},
		{"1714307103gracias", Accept, n},
		{"1.714.307.103", Accept, n},
		{"171/430/710/3", Accept, n},
		{"(171) 430_7103", Accept, n},
		{"1 7 1 4 3 0 7 1 0 3", Accept, n},
		{"1 7 1 4 3 O 7 1 O 3", Accept, n},
		{"17 14 3O 71 O3", Accept, n},
		{"17143\n07103", Accept, n},
		{"1714307103\n1714307103", Accept, n},
		{"1714307103, repito, 171 430 710 3", Accept, n},
		{"tengo 65 años y mi cédula es 1714307103", Accept, n},
		{"mi cédula es 1714307103 y mi celular 0991234567", Accept, n},
		{"mi celular es 0991234567 y mi cédula 1714307103", Accept, n},
		{"1714307103 +593 99 123 4567", Accept, n},
		{"nací el 12/05/1950, cédula 1714307103", Accept, n},
		{"uno siete uno cuatro tres cero siete uno cero tres", Accept, n},
		{"uno - siete - uno - cuatro - tres - cero - siete - uno - cero - tres", Accept, n},
		{"ciento setenta y uno cuatrocientos treinta setecientos diez tres", Accept, n},
		{"mi cedula es uno siete catorce treinta siete uno cero tres", Accept, n},
		{"diez y siete catorce treinta setenta y uno cero tres", Accept, n},
		{"diecisiete catorce treinta setenta y uno guion cero tres", Accept, n},
		{"DIECISIETE CATORCE TREINTA SETENTA Y UNO CERO TRES", Accept, n},
		{"diecisiete catorce treinta setentaiuno cero tres", Accept, n},
		{"1714 treinta siete uno 03", Accept, n},
		{"doble dos veintidós 222222", ConfirmRepeated, "2222222222"},
		{"①⑦①④③⓪⑦①⓪③", Accept, n},
		{"❶❼❶❹❸⓿❼❶⓿❸", Accept, n},
		{"¹⁷¹⁴³⁰⁷¹⁰³", Accept, n},
		{"१७१४३०७१०३", Accept, n},
		{"۱۷۱۴۳۰۷۱۰۳", Accept, n},
		{"๑๗๑๔๓๐๗๑๐๓", Accept, n},
		{"𝟙𝟟𝟙𝟜𝟛𝟘𝟟𝟙𝟘𝟛", Accept, n},
		{"1⁠7⁠1⁠4⁠3⁠0⁠7⁠1⁠0⁠3", Accept, n},
		{"171\u00ad430\ufeff7103", Accept, n},
		{"1714307103\x00", Accept, n},
		{"🪪 1714307103 🙏", Accept, n},
		{"1714307103 @ juan1990@example.com", Accept, n},
		{"mi clave es 1714307103", Accept, n},
		{"quiero desbloquear mi clave 1714307103", Accept, n},
		{"quiero desbloquear mi clave, cedula 1714307103", Accept, n},
		{"17l43O71O4", AskCheckDigit, "1714307104"},
		{"1714307103001", AskFirstTen, n},
		{"1714307103 001", AskFirstTen, n},
		{"171430710-3-001", AskFirstTen, n},
		{"RUC 1714307103001", AskFirstTen, n},
		{"904768157", AskLeadingZero, "0904768157"},
		{"0 904768157", Accept, "0904768157"},
		{"5012345678", AskCheckDigit, "5012345678"},
		{"0000000000", AskProvince, "0000000000"},
		{"9999999999999", AskLength, ""},
		{"123", AskLength, ""},
		{"cédula 12", AskLength, ""},
		{"tengo 2 cédulas", NoNumber, ""},
		{"hace 3 años", NoNumber, ""},
		{"uno no sabe", NoNumber, ""},
		{"17143071032", AskLength, ""},
		{"171 430 710 3, 092 668 785 6", TwoNumbers, ""},
		{"1714307103 o 0926687856", TwoNumbers, ""},
		{"1714307103\n0926687856", TwoNumbers, ""},
		{"1714307103/0926687856", TwoNumbers, ""},
		{"00593991234567", PhoneGiven, ""},
		{"593 99 123 4567", PhoneGiven, ""},
		{"+593 2 394 5666", PhoneGiven, ""},
		{"mi celular es 0939601446", PhoneGiven, ""},
		{"clave: abc123", SecretGiven, ""},
		{"mi contraseña es Perrito", SecretGiven, ""},
		{"clave 123456", SecretGiven, ""},
		{"cédula 1714307103 clave 123456", SecretGiven, ""},
		{"mi clave es Abcd.1234", SecretGiven, ""},
		{"mi clave es cuatro nubes verdes bailan", SecretGiven, ""},
		{"Mi clave es: tres-barcos azules duermen.", SecretGiven, ""},
		{"mi clave es muy difícil de recordar", NoNumber, ""},
		{"la clave es para entrar al portal", NoNumber, ""},
		{"mi clave está bloqueada", NoNumber, ""},
		{"mi clave es la que no sirve", NoNumber, ""},
		{"la clave es bloqueada", NoNumber, ""},
		{"quiero desbloquear mi clave", NoNumber, ""},
		{"no recuerdo mi clave", NoNumber, ""},
		{"olvidé mi número de cédula", Forgotten, ""},
		{"no la tengo", Forgotten, ""},
		{"no tengo mi cédula a la mano", Forgotten, ""},
		{"soy venezolana", WantsForeign, ""},
		{"My key is 123456", SecretGiven, ""},
		{"my password is Perrito", SecretGiven, ""},
		{"my new password was abc123", SecretGiven, ""},
		{"the key is three blue boats sleeping", SecretGiven, ""},
		{"my key is locked", NoNumber, ""},
		{"my key is not working right now", NoNumber, ""},
		{"my password is wrong", NoNumber, ""},
		{"I forgot my password", NoNumber, ""},
		{"I don't remember my key", NoNumber, ""},
		{"unlock my key please", NoNumber, ""},
		{"I don't have it with me", Forgotten, ""},
		{"I lost my cédula", Forgotten, ""},
		{"I am a foreigner", WantsForeign, ""},
		{"I don't have a cédula", WantsForeign, ""},
		{"one seven one four three zero seven one zero three", Accept, "1714307103"},
		{"no tengo cédula", WantsForeign, ""},
		{"tengo pasaporte", WantsForeign, ""},
		{"AB-12345", CodeGiven, ""},
		{"mi código es AB-12345", CodeGiven, ""},
		{"código: ab12345.", CodeGiven, ""},
		{"soy extranjero, mi código es AB–12345", CodeGiven, ""},
		{"código de extranjero AB12345", CodeGiven, ""},
		{"quiero hablar con el agente 007b por favor", NoNumber, ""},
		{"menu", NoNumber, ""},
		{"hola", NoNumber, ""},
		{"\xff\xfe", NoNumber, ""},
	} {
		got := ParseNumber(tc.text, ParseOptions{})
		if got.Verdict != tc.verdict || got.Number != tc.number {
			t.Errorf("%q: got %s %q, want %s %q", tc.text, got.Verdict, got.Number, tc.verdict, tc.number)
		}
	}
}

func TestParseNumber_ownPhone(t *testing.T) {
	for _, tc := range []struct {
		text, phone string
		want        Verdict
	}{
		{"0933005662", "593933005662", IsItPhone},
		{"0933005662", "+593 93 300 5662", IsItPhone},
		{"0933005662", "0933005662", IsItPhone},
		{"0933005662", "593933005663", Accept},
		{"0939601446", "593939601446", PhoneOrTypo},
		{"0991234567", "593991234567", PhoneOrTypo},
		{"1714307103", "", Accept},
	} {
		if got := ParseNumber(tc.text, ParseOptions{Phone: tc.phone}); got.Verdict != tc.want {
			t.Errorf("%s with phone %s: got %s, want %s", tc.text, tc.phone, got.Verdict, tc.want)
		}
	}
}

func TestParseNumber_foreignCode(t *testing.T) {
	for _, tc := range []struct {
		text, pattern, want string
	}{
		{" aB-12345 ", "", "AB-12345"},
		{"Mi código es aB-12345.", "", "AB-12345"},
		{"e/123", "(?i:^[A-Z]/[0-9]{3}$)", "E/123"},
		{"1234567", "", ""},
		{"1234-567", "", ""},
		{"ABCDEF", "", ""},
		{"A1", "", ""},
		{"A123456789012345678901", "", ""},
		{"E/123", "^[A-Z]/[0-9]{3}$", "E/123"},
		{"AB-12345", "^[A-Z]/[0-9]{3}$", ""},
	} {
		o := ParseOptions{}
		if tc.pattern != "" {
			o.ForeignCode = regexp.MustCompile(tc.pattern)
		}
		if got := ParseNumber(tc.text, o); got.Code != tc.want || (got.Verdict == CodeGiven) != (tc.want != "") {
			t.Errorf("%q with %q: got %s %q, want %q", tc.text, tc.pattern, got.Verdict, got.Code, tc.want)
		}
	}
}

func TestParseNumber_candidates(t *testing.T) {
	got := ParseNumber("es 1714307103 o tal vez 0926687856", ParseOptions{}).Candidates
	if want := []string{"1714307103", "0926687856"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReading_printsNoNumber(t *testing.T) {
	r := ParseNumber("1714307103", ParseOptions{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, r); strings.Contains(got, "1714307103") {
			t.Errorf("%s prints the number: %s", verb, got)
		}
	}
}

// Every script's digits are read, which rests on how unicode.Nd is laid out.
func TestDigitValue_everyScript(t *testing.T) {
	for _, r16 := range unicode.Nd.R16 {
		if r16.Stride != 1 || (r16.Hi-r16.Lo+1)%10 != 0 {
			t.Errorf("range %x-%x does not hold whole tens", r16.Lo, r16.Hi)
		}
	}
	for _, r32 := range unicode.Nd.R32 {
		if r32.Stride != 1 || (r32.Hi-r32.Lo+1)%10 != 0 {
			t.Errorf("range %x-%x does not hold whole tens", r32.Lo, r32.Hi)
		}
		for zero := rune(r32.Lo); zero < rune(r32.Hi); zero += 10 {
			var b strings.Builder
			for _, d := range "1714307103" {
				b.WriteRune(zero + d - '0')
			}
			if got := ParseNumber(b.String(), ParseOptions{}); got.Number != "1714307103" {
				t.Errorf("digits from %x: got %q", zero, got.Number)
			}
		}
	}
}

func TestGroupAndMask(t *testing.T) {
	for _, tc := range []struct{ number, group, mask string }{
		{"1710034065", "171 003 406 5", "171•••••65"},
		{"AB-12345", "AB-12345", "A••••••5"},
		{"A123", "A123", "A••3"},
		{"", "", ""},
	} {
		if got := Group(tc.number); got != tc.group {
			t.Errorf("group of %q: got %q, want %q", tc.number, got, tc.group)
		}
		if got := Mask(tc.number); got != tc.mask {
			t.Errorf("mask of %q: got %q, want %q", tc.number, got, tc.mask)
		}
	}
}

func TestMaskAll(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"Mi cédula 1714307103 no sirve.", "Mi cédula 171•••••03 no sirve."},
		{"171 430 710-3, gracias", "171•••••03, gracias"},
		{"RUC 1714307103001.", "RUC 171••••••••01."},
		{"１７１４３０７１０３", "171•••••03"},
		{"17l43O71O3", "171•••••03"},
		{"uno siete uno cuatro tres cero siete uno cero tres", "171•••••03"},
		{"1714307103 y 0926687856", "171••••••••••56"},
		{"1714307103 o 0926687856", "171••••••••••56"},
		{"de 1714307103 a 0926687856", "de 171•••••03 a 092•••••56"},
		{"el 12/05/2024 a las 10:30 esperé 3 horas", "el 12/05/2024 a las 10:30 esperé 3 horas"},
		{"el 12/05/2024 10:30", "el 12/05/2024 10:30"},
		{"el 12/05/2024 1714307103", "el 12/05/2024 171•••••03"},
		{"mi clave es Abc12345 y no entra", "mi clave es ••• y no entra"},
		{"mi código AB-12345 (ab-12345)", "mi código A••••••5 (A••••••5)"},
		{"Piso 3, oficina 12", "Piso 3, oficina 12"},
		{"", ""},
	} {
		if got := MaskAll(tc.text, "AB-12345"); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestHash(t *testing.T) {
	v, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	if Hash(v, "1714307103") != Hash(v, "1714307103") || Hash(v, "1714307103") == Hash(v, "1714307104") {
		t.Error("hash does not tell numbers apart")
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"1714307103", "mi cédula es uno siete uno", "17l43O71O3", "+593 99", "clave es 1", "AB-123", "y y y", "🔟"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := ParseNumber(text, ParseOptions{Phone: "593991234567"})
		switch r.Verdict {
		case Accept, AskCheckDigit, AskProvince, ConfirmUnusual, ConfirmRepeated, IsItPhone, PhoneOrTypo, AskLeadingZero, AskFirstTen:
			if len(r.Number) != 10 || !allDigits(r.Number) {
				t.Errorf("%q: %s with number %q", text, r.Verdict, r.Number)
			}
		case CodeGiven:
			if !IsForeignCode(r.Code, nil) {
				t.Errorf("%q: code %q", text, r.Code)
			}
		case TwoNumbers:
			if len(r.Candidates) < 2 {
				t.Errorf("%q: %d candidates", text, len(r.Candidates))
			}
		case AskLength:
			if r.Digits == 0 || r.Number != "" {
				t.Errorf("%q: %s, number %q", text, r, r.Number)
			}
		case PhoneGiven, SecretGiven, WantsForeign, Forgotten, NoNumber:
			if r.Number != "" {
				t.Errorf("%q: %s with number %q", text, r.Verdict, r.Number)
			}
		default:
			t.Errorf("%q: unknown verdict %q", text, r.Verdict)
		}
	})
}

var tenTogether = regexp.MustCompile(`\d(?:[ .\-]?\d){9}`)

func FuzzMaskAll(f *testing.F) {
	for _, seed := range []string{"1714307103", "a 171 430 710-3 b", "clave es 1714307103 x", "12/05/1980 17", "uno siete", "１７1430 7103", "clave 12 1714307103"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		masked := MaskAll(text)
		if len(datesIn(masked)) > 0 { // dates stay on purpose, and read together with more digits could make ten
			return
		}
		if r := ParseNumber(masked, ParseOptions{}); len(masked) <= parseLimit && r.Number != "" {
			t.Errorf("%q became %q, which still reads %q", text, masked, r.Number)
		}
		if found := tenTogether.FindString(bot.Clean(masked)); found != "" {
			t.Errorf("%q became %q, which still holds %q", text, masked, found)
		}
	})
}

func BenchmarkParseNumber(b *testing.B) {
	for b.Loop() {
		ParseNumber("Buenos días señorita, mi cédula es 171 430 710-3 gracias", ParseOptions{})
	}
}
