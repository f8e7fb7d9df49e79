package console

func firmAccessScreens() []screen { return nil }
