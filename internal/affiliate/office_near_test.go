package affiliate

import (
	"fmt"
	"strings"
	"testing"

	"llave/bot"
)

const mappedCSV = "name;province;city;address;lat;lon\n" +
	"CAU Norte;Pichincha;Quito;Calle Inventada 1;-0,1500;-78,4800\n" +
	"CAU Sur;Pichincha;Quito;Calle Inventada 2;-0.2800;−78.5500\n" +
	"CAU Cayambe;Pichincha;Cayambe;Calle Inventada 3;0.0400;-78.1400\n" +
	"CAU Loja;Loja;Loja;Calle Inventada 4;-3.9900;-79.2000\n" +
	"CAU Ambato;Tungurahua;Ambato;Calle Inventada 5;;\n"

func TestOffices_near(t *testing.T) {
	offices, err := ParseOffices([]byte(mappedCSV))
	if err != nil {
		t.Fatal(err)
	}
	if !offices.Mapped() || offices[4:].Mapped() || Offices(nil).Mapped() {
		t.Error("mapped: want it of a list that says where one of its offices is, and of no other")
	}
	for _, tc := range []struct {
		name     string
		lat, lon float64
		want     string
	}{
		{"beside one", -0.1510, -78.4805, "CAU Norte 0, CAU Sur 20, CAU Cayambe 40"},
		{"between two", -0.2100, -78.5150, "CAU Norte 10, CAU Sur 10, CAU Cayambe 40"},
		{"in a town without any", -1.2500, -78.6200, "CAU Sur 100, CAU Norte 100, CAU Cayambe 100"},
		{"in the south", -4.0000, -79.2100, "CAU Loja 2"},
		{"on the islands", -0.7400, -90.3100, ""},
		{"abroad", 40.4200, -3.7000, ""},
	} {
		var got []string
		for _, n := range offices.Near(bot.SpotAt(tc.lat, tc.lon)) {
			got = append(got, fmt.Sprint(n.Office.Name, " ", int(n.Distance)))
		}
		if joined := strings.Join(got, ", "); joined != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, joined, tc.want)
		}
	}
	if got := offices.Near(bot.Spot{}); got != nil {
		t.Errorf("no place: got %v", got)
	}
}

// No distance is told more exactly than to a kilometre, and the longer the coarser (P415).
func TestDistance_steps(t *testing.T) {
	last, from := Distance(-1), 0.0
	for km := 0.0; km < 200; km += 0.05 {
		d := distance(km)
		if d == last {
			continue
		}
		if width := km - from; last >= 0 && width < 0.95 {
			t.Errorf("%d km are said from %.2f to %.2f alone", last, from, km)
		}
		if d < last {
			t.Errorf("at %.2f: %d after %d", km, d, last)
		}
		last, from = d, km
	}
	if distance(0.99) != Close || distance(4.9) != 5 || distance(45) != 40 || distance(100) != Far || distance(250) != Far {
		t.Error("the steps are others")
	}
}

func TestOffices_codes(t *testing.T) {
	offices, err := ParseOffices([]byte("name,province,city,address,code\n" +
		"CAU,Pichincha,Quito,A,\nCAU,Loja,Loja,B,\nCAU,Loja,Loja,C,\nCentro de Atención Ñandú,Loja,Loja,D,\nOtro,Loja,Loja,E,CAU-Loja\n日本,Loja,Loja,F,\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"cau-quito", "cau-loja-2", "cau-loja-3", "centro-de-atencion-nandu", "cau-loja", "oficina"}
	for i, o := range offices {
		if o.Code != want[i] {
			t.Errorf("%s, %s: code %q, want %q", o.Name, o.Address, o.Code, want[i])
		}
		if got, ok := offices.ByCode(strings.ToUpper(want[i])); !ok || got != o {
			t.Errorf("%s leads to %+v", want[i], got)
		}
	}
	if _, ok := offices.ByCode("cau"); ok {
		t.Error("a code of nobody's leads somewhere")
	}
}
