package app

import (
	"fmt"
	"time"

	"llave/internal/mail"
)

// mailReasons is what /readyz says of the mail server.
func mailReasons(t mail.Trouble) []Reason {
	reasons := ill("mail", t.Since, t.Reason, t.Waiting)
	for i := range reasons {
		reasons[i].Some, reasons[i].Do = t.Some, t.Do
	}
	return reasons
}

// ofMail is such a reason in a sentence.
func (r Reason) ofMail() string {
	takes := "takes no letters"
	if r.Some {
		takes = "refuses some letters"
	}
	wait := fmt.Sprintf("%d letters wait", r.Waiting)
	if r.Waiting == 1 {
		wait = "1 letter waits"
	}
	return fmt.Sprintf("the mail server %s since %s: %s; %s", takes, r.Since.Format(time.RFC3339), r.Reason, wait)
}
