package console

func partnerScreens() []screen { return nil }
