package affiliate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llave/bot"
)

const officesCSV = "name,province,city,address,hours,note\n" +
	"CAU Norte,Pichincha,Quito,Calle Inventada 1,,Turno en línea\n" +
	"CAU Sur,Pichincha,Quito,Calle Inventada 2,08:00-16:00,\n" +
	"CAU Centro,Guayas,Guayaquil,\"Calle Inventada 3, piso 2\",,\n" +
	"CAU Tsáchila,Santo Domingo de los Tsáchilas,Santo Domingo,Calle Inventada 4,,\n" +
	"CAU Loja,Loja,Loja,Calle Inventada 5,,\n" +
	"CAU Cayambe,Pichincha,Cayambe,Calle Inventada 6,,\n"

func TestOffices_find(t *testing.T) {
	offices, err := ParseOffices([]byte(officesCSV))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ text, want string }{
		{"Quito", "CAU Norte, CAU Sur"},
		{"vivo en QUITO, por el norte", "CAU Norte, CAU Sur"},
		{"guayakil", "CAU Centro"},
		{"Guayas", "CAU Centro"},
		{"santo domingo", "CAU Tsáchila"},
		{"santodomingo", "CAU Tsáchila"},
		{"Sto. Domingo", "CAU Tsáchila"},
		{"pichincha", "CAU Norte, CAU Sur, CAU Cayambe"},
		{"cayambe, pichincha", "CAU Cayambe, CAU Norte, CAU Sur"},
		{"lója", "CAU Loja"},
		{"en la luna", ""},
		{"", ""},
	} {
		var names []string
		for _, o := range offices.Find(tc.text) {
			names = append(names, o.Name)
		}
		if got := strings.Join(names, ", "); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
	}
	if got := offices[2].Address; got != "Calle Inventada 3, piso 2" {
		t.Errorf("address: got %q", got)
	}
	if got := Offices(nil).Find("Quito"); got != nil {
		t.Errorf("no list: got %v", got)
	}
}

func TestParseOffices_forms(t *testing.T) {
	for name, content := range map[string]string{
		"BOM, CRLF, semicolons": "\ufeff" + strings.ReplaceAll("name;province;city;address\nA;B;C;D\n", "\n", "\r\n"),
		"other order and case":  "City,ADDRESS,name,province\nC,D,A,B\n",
		"JSON":                  `[{"name":"A","province":"B","city":"C","address":"D"}]`,
	} {
		got, err := ParseOffices([]byte(content))
		if err != nil || len(got) != 1 || got[0] != (Office{Name: "A", Province: "B", City: "C", Address: "D", Code: "a"}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if got, err := ParseOffices([]byte("[]")); err != nil || len(got) != 0 {
		t.Errorf("empty list: got %v, %v", got, err)
	}
}

func TestParseOffices_mistakes(t *testing.T) {
	for _, tc := range []struct {
		content string
		want    []string
	}{
		{"", []string{"the file is empty"}},
		{" \n", []string{"the file is empty"}},
		{"name,city,addres\nA,B,C\n", []string{`line 1: column "addres" is unknown`, "column province is missing", "column address is missing"}},
		{"name,name,province,city,address\n", []string{"column name appears twice"}},
		{"name,province,city,address\nA,B,,D\nA,B,C\nA,B,C, \n", []string{"line 2, column city: is empty", "line 3: has 3 columns, 4 expected", "line 4, column address: is empty"}},
		{"name,province,city,address\nA,\"B,C,D\n", []string{"line 2", "extraneous or missing \""}},
		{"name,province,city,address\nA,B,C,\xd1\n", []string{"line 2: not UTF-8"}},
		{`{"name":"A"}`, []string{"line 1, column 1: a list of objects is expected"}},
		{"[\n{\"name\":\"A\",\"province\":\"B\",\"city\":\"C\"}\n]", []string{"line 2, column 1: address is empty"}},
		{"[\n{\"nombre\":\"A\"}]", []string{`line 2, column 1: unknown field "nombre"`}},
		{"[\n{\"name\":1}]", []string{"line 2, column 1: name must be a text"}},
		{"[{\"name\":\"A\"", []string{"line 1"}},
		{"[{\"name\":\"A\",}]", []string{"line 1, column 14"}},
		{"[] []", []string{"something follows"}},
		{"name,province,city,address,lat\nA,B,C,D,-0.2\n", []string{"line 1: column lon is missing"}},
		{"name,province,city,address,lon\nA,B,C,D,-78.5\n", []string{"line 1: column lat is missing"}},
		{"name,province,city,address,lat,lon\nA,B,C,D,-0.2,-78.5\nA,B,C,D,here,\nA,B,C,D,-78.5,-0.2\nA,B,C,D,NaN,-78.5\n", []string{
			`line 3, column lat: "here" is no number of degrees`, "line 3, column lon: is empty, and the other",
			"line 4, column lat: -78.5 lies outside Ecuador (-5.1 to 1.9)", "line 4, column lon: -0.2 lies outside", "line 5, column lat: NaN lies outside",
		}},
		{"[\n{\"name\":\"A\",\"province\":\"B\",\"city\":\"C\",\"address\":\"D\",\"lat\":true,\"lon\":-78.5}\n]", []string{`line 2, column 1: lat "true" is no number`}},
		{"name,province,city,address,code\nA,B,C,D,uno\nA,B,C,D,\nA,B,C,D,Uno\nA,B,C,D,a/b\n", []string{
			"line 4, column code: uno is the code of line 2 too", `line 5, column code: "a/b" is none: letters a to z`,
		}},
	} {
		_, err := ParseOffices([]byte(tc.content))
		if err == nil {
			t.Errorf("%q: taken", tc.content)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %q, want it to say %q", tc.content, err, want)
			}
		}
	}
}

func TestLoadOffices(t *testing.T) {
	if got, err := LoadOffices(""); got != nil || err != nil {
		t.Errorf("empty setting: got %v, %v", got, err)
	}
	path := filepath.Join(t.TempDir(), "offices.csv")
	if _, err := LoadOffices(path); err == nil || !strings.Contains(err.Error(), "offices.csv") {
		t.Errorf("missing file: got %v", err)
	}
	if err := os.WriteFile(path, []byte(officesCSV), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadOffices(path); err != nil || len(got) != 6 {
		t.Errorf("got %d offices, %v, want 6", len(got), err)
	}
}

func FuzzParseOffices(f *testing.F) {
	f.Add([]byte(officesCSV))
	f.Add([]byte(`[{"name":"A","province":"B","city":"C","address":"D"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		offices, err := ParseOffices(data)
		if err != nil && offices != nil {
			t.Error("offices beside an error")
		}
		offices.Find("Quito")
		offices.Near(bot.SpotAt(-0.2, -78.5))
		for _, o := range offices {
			if found, ok := offices.ByCode(o.Code); !ok || found != o {
				t.Errorf("%q leads to %+v, want %+v", o.Code, found, o)
			}
		}
	})
}
