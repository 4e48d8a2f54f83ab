package agent

import (
	"slices"
	"time"
)

// Device is a browser in which an account was signed in. The browser has its token, in a cookie; here is a keyed hash of it. It lets
// nobody in: who has it is only spared what strangers do.
type Device struct {
	ID string    `bson:"id"`
	At time.Time `bson:"at"` // signed in last
}

// How long a browser is known after it was signed in last, and how many of an account are.
const (
	DeviceLife = 180 * 24 * time.Hour
	maxDevices = 10
)

func (s *Service) deviceID(login, token string) string {
	return s.Vault.Hash("agent-device", login+" "+token) // no login holds a blank
}

// knownDevice returns the device that a browser is for an account, and its token.
func (s *Service) knownDevice(a Agent, from From, now time.Time) (id, token string, ok bool) {
	for _, token := range from.Devices {
		id := s.deviceID(a.Login, token)
		if slices.ContainsFunc(a.Devices, func(d Device) bool { return d.ID == id && now.Sub(d.At) < DeviceLife }) {
			return id, token, true
		}
	}
	return "", "", false
}

// remember notes in the account that it was signed in from a browser, and returns the token by which that is known again: one that
// it has, or a new one.
func (s *Service) remember(a *Agent, from From, now time.Time) (token string) {
	id, token, known := s.knownDevice(*a, from, now)
	if !known {
		token = newToken()
		id = s.deviceID(a.Login, token)
	}
	devices := []Device{{id, now}}
	for _, d := range a.Devices {
		if d.ID != id && now.Sub(d.At) < DeviceLife && len(devices) < maxDevices {
			devices = append(devices, d)
		}
	}
	a.Devices = devices
	return token
}
