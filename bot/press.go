package bot

import (
	"strconv"
	"strings"
)

// PressData is what a button sends back on a channel that lets it carry one string: the stamp of its question and its id.
func PressData(prompt int, id string) string { return strconv.Itoa(prompt) + ":" + id }

// ReadPress is the inverse of PressData. What was not made by it (a button of another program behind the same bot, a
// template that somebody else wrote) is not ours, and a button without a question.
func ReadPress(data string) (prompt int, id string, ours bool) {
	stamp, id, ok := strings.Cut(data, ":")
	n, err := strconv.Atoi(stamp)
	if !ok || err != nil || n < 0 || strconv.Itoa(n) != stamp {
		return 0, data, false
	}
	return n, id, true
}
