package bot

import "testing"

// A visit that was not counted yet when its chat was erased is counted all the same: the promise names nobody (P802).
func TestErased_visit(t *testing.T) {
	c := Conversation{ID: "telegram:1"}
	c.Promises = []Promise{{ID: "a", What: KeepVisit{Visit: "v"}}, {ID: "b", What: Say{}}}
	if left := c.Erased().Promises; len(left) != 1 || left[0].ID != "a" {
		t.Errorf("what is still owed is %+v, want the count alone", left)
	}
}
