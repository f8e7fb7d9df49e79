package signin

import "net/http"

// ThemeCookie holds the colours that a person chose in this browser, for every page
// behind the door and in front of it. It says nothing about who they are.
const ThemeCookie = "__Host-sallyport-theme"

// Theme is "light" or "dark", or empty: as the device has it.
func Theme(r *http.Request) string {
	if c, err := r.Cookie(ThemeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}
