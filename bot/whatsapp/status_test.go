package whatsapp

import "testing"

// TestStatus_follows: every pair. Nothing runs backwards, what arrived cannot fail, and what failed stays so.
func TestStatus_follows(t *testing.T) {
	forward := map[Status]string{ // from → what may come after
		"": "accepted sent delivered read failed", Accepted: "sent delivered read failed", Sent: "delivered read failed",
		Delivered: "read", Read: "", Failed: "",
	}
	all := []Status{Accepted, Sent, Delivered, Read, Failed}
	for before, after := range forward {
		got := ""
		for _, s := range all {
			if s.Follows(before) {
				if got != "" {
					got += " "
				}
				got += string(s)
			}
		}
		if got != after {
			t.Errorf("after %q: got %q, want %q", before, got, after)
		}
	}
	for _, s := range []Status{"", "played", "READ"} {
		if s.Known() || s.Follows("") || s.Follows(Sent) {
			t.Errorf("%q is taken for a status", s)
		}
	}
}
