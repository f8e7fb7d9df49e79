package hospital

// The invented vocabulary. Family names, towns and streets are made up from
// ordinary English parts; a real one among them is chance.

var familyNames = []string{
	"Ashgrove", "Bellweather", "Brackenridge", "Calloway-Penn", "Castellane", "Cinderford", "Dunmarsh",
	"Eastlake", "Fairhollow", "Fennimore", "Garrowby", "Greenhalgh-Ito", "Halvorsdotter", "Harrowgate",
	"Ibarrola", "Jessamine", "Kestrelman", "Kowalczyn", "Larkspur", "Lindenwald", "Marchetti-Vale",
	"McAllardyce", "Montclaire", "Nakagawara", "Nightingale", "O'Brannagh", "Oakenshaw", "Okonjiwe",
	"Pemberwick", "Quillfeather", "Ramaswarna", "Ravenscourt", "Saltmarsh", "Sandoval-Reyna", "Silverthorn",
	"St. Aubrey", "Tanglewood", "Thistlewaite", "Underhallow", "Van der Linden", "Vasquellez", "Wetherspire",
	"Whitlocke", "Winterbourne", "Xiomarez", "Yarrowdale", "Youngblood-Tse", "Zabriskov", "Zellweaver", "Nguyenova",
}

type givenName struct{ full, nick string }

var femaleNames = []givenName{
	{"Margaret", "Peggy"}, {"Elizabeth", "Betsy"}, {"Dorothea", "Dot"}, {"Katherine", "Kit"}, {"Susannah", "Sukie"},
	{"Rosalind", "Roz"}, {"Josephine", "Josie"}, {"Guadalupe", "Lupe"}, {"Priyanka", "Priya"}, {"Aaliyah", "Lee"},
	{"Philippa", "Pip"}, {"Theodora", "Teddy"}, {"Wilhelmina", "Billie"}, {"Magdalena", "Lena"}, {"Francesca", "Frankie"},
	{"May", "May-May"}, {"Grace", "Gracie"}, {"Hope", "Hopi"}, {"Summer", "Sunny"}, {"Xiu-Ying", "Ying"},
}

var maleNames = []givenName{
	{"William", "Bill"}, {"Robert", "Bobby"}, {"Theodore", "Ted"}, {"Alejandro", "Alex"}, {"Nathaniel", "Nate"},
	{"Jeremiah", "Jerry"}, {"Montgomery", "Monty"}, {"Christopher", "Kit"}, {"Francisco", "Paco"}, {"Bartholomew", "Bart"},
	{"Augustus", "Gus"}, {"Maximilian", "Max"}, {"Oluwaseun", "Seun"}, {"Kenjiro", "Ken"}, {"Mohammed", "Mo"},
	{"Will", "Willie"}, {"Art", "Artie"}, {"Mark", "Marky"}, {"Drew", "Drewie"}, {"Chase", "Chaz"},
}

var middleNames = []string{"Lee", "Ray", "Quinn", "Cole", "Sage", "Blair", "Noor", "Arden", "Ellis", "Rowan", "Jude", "Wren"}

var streets = []string{
	"Alder Fork Road", "Birch Hollow Lane", "Cider Mill Road", "Dovecote Street", "Elmsgate Avenue", "Foxglove Court",
	"Gristmill Way", "Heron Pond Drive", "Ironbridge Street", "Juniper Bend", "Kiln House Road", "Lantern Hill",
	"Meadowlark Terrace", "Nutmeg Row", "Old Quarry Road", "Pepperbush Circle", "Quail Run", "Rookery Lane",
	"Saltbox Road", "Tollgate Avenue", "Upper Weir Street", "Vinegar Yard", "Wharf Street", "Yellow Barn Road",
}

type town struct {
	city, county, state, zip, area string
	lat, lon                       float64
}

// towns are invented; their ZIP codes lie in three-digit areas that belong to
// their State. The second half lies in areas of 20,000 people or fewer, or in
// areas that some lists restrict (45 CFR 164.514(b)(2)(i)(B)).
var towns = []town{
	{"Alderfield", "Tarn County", "MA", "01938", "978", 42.683, -70.841},
	{"Port Verity", "Ebb County", "ME", "04530", "207", 43.912, -69.815},
	{"Cressida Falls", "Marl County", "NY", "13346", "315", 42.817, -75.535},
	{"New Hartwell", "Loam County", "OH", "44087", "330", 41.319, -81.438},
	{"Saint Ottoline", "Reed County", "MI", "49684", "231", 44.763, -85.620},
	{"Bramble Creek", "Flint County", "TX", "78640", "512", 29.989, -97.877},
	{"Mesa Clara", "Ocotillo County", "AZ", "85629", "520", 31.967, -110.957},
	{"Larkin Bay", "Tule County", "CA", "95440", "707", 38.440, -122.714},
	{"Tamarack Junction", "Firth County", "WA", "98826", "509", 47.595, -120.661},
	{"Magnolia Ferry", "Cane County", "LA", "70433", "985", 30.475, -90.100},
	{"Charlesford", "Notch County", "NH", "03603", "603", 43.234, -72.424},
	{"Averill Gore", "Kingdom County", "VT", "05901", "802", 45.003, -71.700},
	{"Gunflint Harbor", "Lakehead County", "MN", "55604", "218", 47.750, -90.334},
	{"Sandhill Wells", "Prairie County", "NE", "69201", "308", 42.872, -100.550},
	{"Geyser Flats", "Caldera County", "WY", "82190", "307", 44.977, -110.701},
	{"Rawhide Springs", "Basin County", "WY", "82301", "307", 41.790, -107.238},
	{"Socorro Wells", "Mesa County", "NM", "87801", "575", 34.058, -106.891},
	{"Sierra Tranquila", "Hot Spring County", "NM", "87901", "575", 33.128, -107.252},
	{"Ely Crossing", "Pine Nut County", "NV", "89301", "775", 39.247, -114.888},
	{"Cuba Landing", "Black Belt County", "AL", "36907", "205", 32.430, -88.372},
}

var employers = []string{"Tidewater Cannery", "Northgate Unified Schools", "Halcyon Freight", "Quarry & Sons Masonry", "Bluebird Bakery", "Penrose Paper Mill"}

var specialties = []struct{ code, text, title string }{
	{"207R00000X", "Internal Medicine Physician", "Internal Medicine"},
	{"207RC0000X", "Cardiovascular Disease Physician", "Cardiology"},
	{"207RE0101X", "Endocrinology, Diabetes & Metabolism Physician", "Endocrinology"},
	{"2084P0800X", "Psychiatry Physician", "Psychiatry"},
	{"207Q00000X", "Family Medicine Physician", "Family Medicine"},
	{"208000000X", "Pediatrics Physician", "Pediatrics"},
	{"207X00000X", "Orthopaedic Surgery Physician", "Orthopaedics"},
	{"207P00000X", "Emergency Medicine Physician", "Emergency Medicine"},
}
