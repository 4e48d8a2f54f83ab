package bot

import "cmp"

// An album is several things that were sent at once. Telegram says which belong together; WhatsApp delivers them one after the other,
// and there those are taken together that come within a moment.

// loose stands for the album of a thing that came with no name of one.
const loose = "-"

// RestOfAlbum says that the update is a thing that was sent at once with the one before, to which something was said. Words under one
// are words, and never the rest of anything.
func (t *Turn) RestOfAlbum() bool { return t.rest }

// noteAlbum notes what was sent at once with others.
func (t *Turn) noteAlbum() {
	c, u := t.Conv, t.Update
	if u.Kind == Edited { // nothing is sent: what comes next is sent with nothing
		if c.Album == loose {
			c.Album = ""
		}
		return
	}
	album := u.Album
	if u.Media != "" {
		album = cmp.Or(album, loose)
	}
	t.rest = u.Kind == Media && album != "" && album == c.Album && (album != loose || t.idle < PieceWait)
	c.Album = album
}
