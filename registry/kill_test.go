package registry_test

func actChild() {}
