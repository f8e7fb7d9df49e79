package text

// cue is what a word announces about its neighbours. A word may be several.
type cue uint64

const (
	cTitle      cue = 1 << iota // stands before a name: dr, mrs
	cCred                       // stands after a name: md, rn
	cSuffix                     // ends a name: jr
	cRelation                   // mother, neighbour
	cPerson                     // a label or word for a person: patient, attending
	cMonth                      // january
	cWeekday                    // monday
	cStreet                     // avenue
	cStreetPre                  // a street word that stands first: via, rua
	cUnit                       // apt, suite
	cFacility                   // hospital, clinic: ends the name of one
	cFacWord                    // medical, regional: stands before one of those
	cOrg                        // inc, logistics: ends the name of a company
	cParticle                   // van, de
	cState                      // a state of the USA, two letters or its name
	cCountry                    // country
	cNation                     // nationality
	cStop                       // never part of a name
	cVerb                       // may follow a person: is, has
	cHuman                      // follows a person and hardly anything else: says, tolerated
	cMeet                       // a person follows "with": discussed, spoke
	cMeasure                    // mg, mmhg
	cEponym                     // disease, syndrome: what stands before is no person
	cMed                        // a drug, an instrument, an eponym
	cDate                       // a date follows: on, since
	cHoliday                    // thanksgiving
	cFiction                    // made up: mock, simulator
	cInvalid                    // said of a number that is none: invalid
	cNot                        // not, no
	cGreet                      // dear, hello
	cCode                       // announces a code of a terminology: icd, cpt
	cLive                       // a place follows soon: lives, resides
	cWork                       // an employer follows soon: works
	cPlaceIn                    // in, from, near
	cLink                       // number, no: between a cue and its identifier
	cName                       // name, named, called: a name follows
	cBy                         // by, with: a name may follow
	cRoom                       // room, bed, floor: the number that follows is of a place within
	cYearCue                    // in, since, during
	cOrdinal                    // first, third: of a month
	cClinical                   // a word of clinical writing
	cDenied                     // what a made-up thing is said not to be
	cPlaceLabel                 // location, facility: before a colon
	cForeign                    // a small word of another language
	cNinety                     // a word for an age over 89
	cFake                       // abc, xyz: stands for something left out
)

type cueList struct {
	cue   cue
	words string
}

var cueLists = []cueList{
	{cTitle, `dr drs doctor mr mrs ms mister mme mlle herr frau sr sra srta prof professor sir dame rev reverend pastor rabbi imam father sister nurse judge officer sgt sergeant lt capt captain col colonel maj attorney detective dra`},
	{cCred, `md do rn lpn np pa pac phd psyd dds dmd dpm od dc pharmd rph lcsw msw msn bsn crna cnm aprn arnp fnp facs facp facc faap facog mbbs dvm esq mph ma lmft lpc ccc slp otr rd crnp frcs frcp mrcp`},
	{cSuffix, `jr sr ii iii iv`},
	{cRelation, `mother father mom dad mum brother sister son daughter wife husband spouse partner fiance fiancee boyfriend girlfriend friend neighbor neighbour aunt uncle niece nephew cousin grandmother grandfather grandma grandpa grandson granddaughter stepmother stepfather stepson stepdaughter guardian caregiver caretaker roommate child kid sibling parent landlord employer boss coworker colleague pastor emergency`},
	{cPerson, `patient pt attending physician surgeon pcp provider resident consultant assistant anesthesiologist anesthetist radiologist pathologist cardiologist therapist psychiatrist psychologist dentist nurse author dictated transcribed signed cosigned attn attention cc ref referred referring seen examined reviewed interviewed evaluated electronically recorder witness informant guarantor insured subscriber contact next nok client resident midwife technician technologist practitioner proceduralist operator scribe writer sender recipient name names fellow intern`},
	{cName, `name names named called nicknamed renamed aka alias née nee`},
	{cMonth, `january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec januar februar maerz juni juli oktober dezember janvier fevrier mars avril juin juillet aout septembre octobre decembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre`},
	{cWeekday, `monday tuesday wednesday thursday friday saturday sunday`},
	{cStreet, `street st avenue ave av road rd drive dr lane ln court ct circle cir boulevard blvd way place pl terrace ter trail trl parkway pkwy highway hwy square sq loop alley plaza pike row run path crossing xing ridge point cove bend bypass turnpike tpke expressway close crescent cres gardens grove mews strasse str gasse allee weg platz straat laan gatan gata vagen vej gade utca ut katu tie ulica tee tanav puiestee terrasse utja gate trg rkp plass torg`},
	{cStreetPre, `via viale piazza corso rua avenida calle carrer rue chemin ul ulica ulitsa impasse quai avenue boulevard place camino paseo plaza strada largo travessa praca estrada allee ruta vicolo`},
	{cUnit, `apt apartment suite ste unit room rm floor fl lot bldg building box flat trailer`},
	{cFacility, `hosp ctr hospital clinic clinics infirmary sanatorium hospice sanitarium`},
	{cFacility, `center centre health healthcare practice home pavilion institute associates rehab rehabilitation manor campus`},
	{cFacWord, `renal wound glaucoma homeless thoracic interventional radiology comprehensive neuro oncology orthopedic orthopaedic ent gi gyn gynecology ob obstetric pulmonary vascular spine joint cardiac cardiology neurology diabetes infectious infusion anticoagulation coumadin allergy foot hand hearing memory asthma genetics eating weight service services medical memorial regional general community county university nursing rehab rehabilitation surgical surgery family urgent care health children womens veterans va psychiatric cancer heart specialty day hospital clinic convalescent extended skilled assisted living senior retirement dialysis imaging diagnostic eye ear primary internal behavioral mental methodist baptist lutheran presbyterian adventist jewish district city state national federal south north east west southeast northeast southwest northwest central city clinic long term outpatient ambulatory emergency pain sleep wellness birth trauma burn transplant`},
	{cOrg, `inc incorporated llc llp ltd limited corp corporation company co gmbh ag sa plc group holdings partners brothers bros sons associates industries enterprises logistics hardware foods motors bank university college school academy institute foundation consulting solutions systems technologies technology software services insurance airlines electronics manufacturing construction plumbing roofing trucking transport freight staffing bakery restaurant cafe diner grocery supermarket market pharmacy press media studios records pictures entertainment ventures capital investments advisors realty properties labs laboratories analytics networks interactive dynamics society association agency council ministry department hotel farms farm dairy ranch brewery supply stores store mart outfitters textiles mills steel lumber furniture appliances automotive auto garage salon orchestra club church parish synagogue mosque temple lodge union federation league trust`},
	{cParticle, `van von der den de del della di da dos das du la le el al bin ibn ben ter ten te zu zur af av y e st saint san santa abu umm`},
	{cState, `al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc pr gu vi as mp ap ae aa alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming`},
	{cCountry, `africa korea arabia afghanistan albania algeria andorra angola argentina armenia australia austria azerbaijan bahamas bahrain bangladesh barbados belarus belgium belize benin bhutan bolivia bosnia botswana brazil brunei bulgaria burundi cambodia cameroon canada chad chile china colombia congo croatia cuba cyprus czechia denmark djibouti dominica ecuador egypt eritrea estonia ethiopia fiji finland france gabon gambia germany ghana greece greenland grenada guatemala guinea guyana haiti honduras hungary iceland india indonesia iran iraq ireland israel italy jamaica japan kazakhstan kenya kuwait kyrgyzstan laos latvia lebanon lesotho liberia libya liechtenstein lithuania luxembourg macedonia madagascar malawi malaysia mali malta mauritania mauritius mexico moldova monaco mongolia montenegro morocco mozambique myanmar namibia nepal netherlands nicaragua niger nigeria norway oman pakistan palestine panama paraguay peru philippines poland portugal qatar romania russia rwanda samoa senegal serbia seychelles singapore slovakia slovenia somalia spain sudan suriname sweden switzerland syria taiwan tajikistan tanzania thailand togo tonga tunisia turkey turkmenistan uganda ukraine uruguay uzbekistan vanuatu venezuela vietnam yemen zambia zimbabwe england scotland wales usa uk europe`},
	{cNation, `afghan albanian algerian american angolan argentine argentinian armenian australian austrian azerbaijani bahraini bangladeshi belarusian belgian belizean bolivian bosnian brazilian british bulgarian burmese cambodian cameroonian canadian chilean chinese colombian croatian cuban cypriot czech danish dutch ecuadorian egyptian english eritrean estonian ethiopian filipino finnish french georgian german ghanaian greek greenlandic guatemalan haitian honduran hungarian icelandic indian indonesian iranian iraqi irish israeli italian jamaican japanese jordanian kazakh kenyan korean kuwaiti laotian latvian lebanese liberian libyan lithuanian malaysian maltese mexican moldovan mongolian moroccan namibian nepalese nicaraguan nigerian norwegian pakistani palestinian panamanian paraguayan peruvian polish portuguese qatari romanian russian rwandan salvadoran saudi scottish senegalese serbian singaporean slovak slovakian slovenian somali spanish sudanese surinamese swedish swiss syrian taiwanese tajik tanzanian thai tibetan tunisian turkish ugandan ukrainian uruguayan uzbek venezuelan vietnamese welsh yemeni zambian zimbabwean greenlander icelander swede dane finn pole turk spaniard scot briton kiwi`},
	{cStop, `a about above after again all also although am an and any are as at be because been before being below between both but by can cannot could did do does doing done down during each either else ever every few for from further had has have having he her here hers herself him himself his how however i if in into is it its itself just let like made many me might more most must my myself neither never no none nor not nothing now of off often on once one only or other our ours out over own per please rather same shall she should since so some still such than that the their theirs them themselves then there therefore these they this those through thus to too under until unless up upon us very was we well were what when where whether which while who whom whose why with within without would yes yet you your yours yourself`},
	{cStop, `addr date dates day days week weeks month months year years today yesterday tomorrow time times age old male female man woman boy girl lady gentleman baby infant history physical examination exam assessment plan diagnosis diagnoses impression findings finding procedure procedures preoperative postoperative indication indications complications complication medications medication allergies allergy admission discharge admitted discharged report notes note subjective objective review reviewed vital vitals signs heent neck chest lungs abdomen extremities skin neurologic laboratory laboratories data results description operation operative anesthesia specimen specimens disposition follow followup instructions chief complaint present illness past unit number record records account mrn ssn dob dos acct phone fax tel email address zip facility birthdate birth insurance license member serial job page copy attending physician patient pt thank thanks sincerely regards dear hello re id`},
	{cVerb, `is was has had will would came went needs can could did does became began left moved turned grew performed noted joined signed agreed`},
	{cHuman, `said says say told tells asked asks lives lived resides resided works worked reported reports states stated denies denied wants wanted writes wrote talks spoke speaks explained answered replied thinks believes knows born died married retired tolerated tolerates underwent presented presents complained complains smokes smoked drinks slept ambulated consented understands understood agrees verbalized verbalizes weighs feels felt takes took received receives arrived continues remembers recalls recalled attends attended enjoys likes loves hates shouted listed enjoys plays played called calls named admits refuses refused requested requests appeared appears ate eats walked walks who stopped started developed fell sang sings`},
	{cMeasure, `mg mcg ug g gm gms gram grams kg kgs lb lbs pound pounds oz ml cc dl l liter liters mmol mol meq mm cm m km inch inches in ft feet foot mmhg bpm hz khz u units unit iu percent degrees degree f c hours hour hrs hr h minutes minute min mins seconds second sec days day weeks week wks months month mos years year yrs times tablets tablet tabs tab capsules caps pills drops puffs sprays ampules vials joules watts gy cgy mci mhz rads pack packs ppd gauge french fr mev cal kcal calories mils diopters cells msec ms beats breaths meters fold x bid tid qid qd qhs prn daily po iv im sq tsp tbsp cups hpf lpf pg ng fl`},
	{cEponym, `dissector dissectors drill drills tongs clips clip impingement bunionectomy tracheostomy plating saw saws arthroplasty fields silk headrest holder spatula cream ointment drops shears stapler introducer guidewire sheath sheaths dilator dilators protocol irrigation lavage reservoir pump brand model cuff boots pads pad mesh cement gauze swab spray lotion gel syringe burr chisel hook hooks speculum osteotome osteotomes tenotomy fundoplication catheterization disease syndrome sign signs test tests palsy tumor tumour fracture catheter catheters procedure maneuver position score scale classification stage grade criteria law reflex contracture nodes node esophagus esophageal lymphoma sarcoma anemia ulcer hernia clamp clamps forceps retractor retractors scissors suture sutures incision drain drains tube tubes needle ligament tendon fascia canal duct gland glands pouch cyst bodies body phenomenon method technique approach repair operation graft osteotomy prosthesis stain culture agar wave waves rhythm murmur respirations virus encephalitis thyroiditis dementia chorea ataxia psychosis aphasia area triangle space membrane cells cell corpuscle crescents line lines plane angle splint brace cast boot collar dressing bandage stockings hose rod rods wire wires screw screws plate pin pins nail frame bed lamp light blade elevator curette rongeur scope tray solution lavage diet exercises manoeuvre rule index formula equation stroke fistula ring knot bag balloon stent filter valve port cannula trocar loop snare blood negative positive block fever factor measles`},
	{cMed, `foley parkinson parkinsons alzheimer alzheimers hodgkin hodgkins crohn crohns hashimoto hashimotos barrett barretts babinski kocher kochers metzenbaum allis babcock babcocks bovie debakey weitlaner lembert cushing cushings addison addisons mcburney mcburneys romberg rombergs phalen phalens tinel tinels lachman mcmurray homan homans trendelenburg fowler fowlers lithotomy pfannenstiel bartholin bartholins skene skenes scarpa scarpas camper poupart gerota gerotas morison vater wirsung santorini roux billroth whipple nissen hartmann meckel meckels hirschsprung tourette klinefelter marfan ehlers danlos sjogren sjogrens raynaud raynauds wegener behcet kawasaki reiter lyme osgood schlatter calve perthes charcot guillain gehrig huntington wernicke korsakoff broca glasgow apgar ballard mallampati asa nyha killip pugh ranson gleason breslow dukes ganz hickman broviac groshong quinton tesio pratt hemovac blakemore salem sump dobhoff malecot councill yankauer kerlix dermabond vicryl prolene monocryl ethibond maxon pds nylon silk chromic dacron marlex surgicel gelfoam avitene floseal tisseel xylocaine marcaine betadine hibiclens duraprep chloraprep bacitracin neosporin adaptic xeroform kling coban webril esmarch stryker synthes depuy medtronic guidant biotronik veress hasson olympus gia ligasure luer tuohy quincke whitacre doppler holter gram ziehl neelsen giemsa papanicolaou pap valsalva kegel heimlich ringer ringers hartmanns lactated dakin dakins burow burows unna schatzki zenker mallory weiss peyronie dupuytren dupuytrens colles smiths lisfranc monteggia galeazzi bakers hallpike dix epley snellen schiotz goldmann amsler schirmer kernig brudzinski chvostek trousseau spurling hoffmanns lasegue ober finkelstein adson yergason cheyne kussmaul biot brugada janeway quincke ebstein fallot eisenmenger blalock taussig rastelli bentall`},
	{cMed, `tylenol aspirin advil motrin aleve ibuprofen acetaminophen lasix coumadin lovenox heparin plavix lipitor zocor crestor pravachol norvasc lisinopril zestril prinivil altace vasotec diovan cozaar hyzaar benicar avapro atenolol tenormin lopressor toprol metoprolol coreg inderal digoxin lanoxin cardizem verapamil calan procardia nitroglycerin imdur isordil nexium prilosec prevacid protonix aciphex pepcid zantac reglan zofran phenergan compazine colace senna dulcolax miralax metformin glucophage glyburide glipizide glucotrol amaryl actos avandia januvia lantus humalog novolog levemir humulin insulin synthroid levothyroxine levoxyl armour cytomel prednisone medrol decadron solumedrol solu kenalog flonase nasonex advair albuterol proventil ventolin combivent atrovent spiriva singulair symbicort pulmicort flovent allegra claritin zyrtec benadryl zoloft prozac paxil celexa lexapro effexor cymbalta wellbutrin trazodone desyrel remeron elavil pamelor lithium depakote tegretol lamictal neurontin gabapentin lyrica topamax dilantin keppra phenobarbital ativan xanax klonopin valium librium ambien lunesta restoril seroquel risperdal zyprexa geodon abilify haldol thorazine clozaril aricept namenda exelon razadyne sinemet requip mirapex morphine dilaudid fentanyl duragesic percocet vicodin norco lortab oxycontin oxycodone hydrocodone ultram tramadol toradol darvocet demerol methadone suboxone flexeril soma skelaxin zanaflex baclofen celebrex vioxx bextra mobic naproxen relafen voltaren indocin amoxicillin augmentin penicillin ampicillin unasyn zosyn keflex ancef cefazolin rocephin ceftriaxone cipro levaquin avelox zithromax biaxin azithromycin doxycycline bactrim septra flagyl vancomycin gentamicin tobramycin clindamycin cleocin diflucan nystatin lamisil valtrex acyclovir zovirax tamiflu aldactone spironolactone hydrochlorothiazide hctz bumex demadex zaroxolyn maxzide dyazide potassium kcl klor fosamax actonel boniva evista premarin provera prempro estrace tamoxifen arimidex femara flomax proscar avodart hytrin cardura viagra cialis levitra detrol ditropan vesicare colchicine allopurinol zyloprim methotrexate plaquenil remicade enbrel humira imuran cellcept prograf cyclosporine epogen procrit neupogen aranesp iron ferrous folic vitamin calcium magnesium zinc caltrate centrum multivitamin versed propofol ketamine etomidate succinylcholine rocuronium vecuronium lidocaine marcaine bupivacaine epinephrine norepinephrine dopamine dobutamine atropine glycopyrrolate neostigmine narcan romazicon taxol carboplatin cisplatin adriamycin cytoxan gemzar avastin herceptin rituxan fluorouracil leucovorin tarceva gleevec zometa bumetanide catapres clonidine hydralazine minoxidil tricor lopid zetia niaspan welchol vytorin caduet lotrel ziac tekturna ranexa bystolic`},
	{cMed, `cath braden berg barthel tinetti adderall ritalin concerta vyvanse strattera focalin eliquis xarelto pradaxa brilinta effient entresto farxiga jardiance invokana ozempic wegovy trulicity victoza byetta mounjaro rybelsus tresiba toujeo basaglar apidra admelog glargine lispro aspart semaglutide liraglutide dulaglutide empagliflozin sitagliptin apixaban rivaroxaban dabigatran ticagrelor clopidogrel prasugrel warfarin enoxaparin atorvastatin rosuvastatin simvastatin pravastatin livalo repatha praluent amlodipine nifedipine diltiazem losartan valsartan irbesartan olmesartan telmisartan micardis edarbi ramipril enalapril benazepril captopril quinapril accupril accuretic carvedilol bisoprolol propranolol nebivolol furosemide torsemide bumetanide chlorthalidone metolazone amiodarone pacerone sotalol betapace flecainide tikosyn multaq omeprazole pantoprazole esomeprazole lansoprazole famotidine ranitidine ondansetron metoclopramide promethazine loperamide imodium lomotil bentyl levsin carafate sucralfate lactulose xifaxan fluoxetine sertraline paroxetine citalopram escitalopram venlafaxine duloxetine bupropion mirtazapine amitriptyline nortriptyline buspirone buspar hydroxyzine vistaril atarax lorazepam alprazolam clonazepam diazepam temazepam zolpidem quetiapine olanzapine risperidone aripiprazole ziprasidone haloperidol clozapine latuda rexulti vraylar invega lamotrigine levetiracetam phenytoin carbamazepine valproate topiramate oxcarbazepine trileptal vimpat briviact donepezil memantine carbidopa levodopa ropinirole pramipexole tizanidine cyclobenzaprine methocarbamol robaxin meloxicam ketorolac diclofenac etodolac lodine arthrotec daypro feldene prednisolone methylprednisolone dexamethasone hydrocortisone fludrocortisone florinef montelukast fluticasone budesonide tiotropium ipratropium duoneb xopenex breo trelegy anoro stiolto dulera qvar cetirizine loratadine fexofenadine diphenhydramine guaifenesin mucinex robitussin tessalon sudafed afrin nasacort cefepime cefuroxime ceftin cefdinir omnicef suprax vantin meropenem merrem invanz primaxin linezolid zyvox daptomycin cubicin levofloxacin ciprofloxacin moxifloxacin metronidazole nitrofurantoin macrobid macrodantin tetracycline minocycline erythromycin clarithromycin fluconazole voriconazole ketoconazole nizoral lotrimin mycelex terbinafine valacyclovir famciclovir famvir oseltamivir paxlovid remdesivir tenofovir truvada descovy biktarvy genvoya atripla epzicom kaletra norvir isentress prezista hydroxychloroquine azathioprine mycophenolate tacrolimus sirolimus rapamune adalimumab etanercept infliximab rituximab tocilizumab actemra orencia stelara cosentyx taltz skyrizi otezla xeljanz rinvoq dupixent xolair nucala keytruda opdivo trastuzumab bevacizumab pembrolizumab nivolumab docetaxel taxotere paclitaxel abraxane doxorubicin oxaliplatin eloxatin irinotecan camptosar capecitabine xeloda pemetrexed alimta letrozole anastrozole exemestane aromasin fulvestrant faslodex ibrance imatinib lupron casodex zytiga xtandi bicalutamide tamsulosin finasteride dutasteride oxybutynin tolterodine solifenacin myrbetriq sildenafil tadalafil alendronate risedronate ibandronate denosumab prolia xgeva forteo raloxifene estradiol progesterone mirena nuvaring depo orthovisc synvisc botox humira lidoderm capsaicin accutane retin differin elidel protopic eucrisa mupirocin bactroban silvadene santyl aquaphor eucerin cetaphil nizoral timolol timoptic latanoprost xalatan travatan lumigan alphagan cosopt azopt trusopt pilocarpine vigamox zymar  patanol restasis lucentis eylea ovcon fortaz floxin synalar elocon triviflor econopred amphadase temodar pediasure isomil similac enfamil  glucerna jevity osmolite pediarix prevnar pneumovax gardasil shingrix zostavax menactra tdap boostrix hemoccult mastisol steri strips shiley endo trach gomco crile ortolani achilles penfield raney  midas gigli hegar descemet nezhat pulsavac duragen uniplate temno atraumatic normocephalic scds ted teds rancho kelman sinskey vannas colibri castroviejo bonn tenon elschnig seprafilm interceed dacron goretex alloderm surgimend permacol parietex ventralex hickman politzer bellucci derlacki yankauer poole balfour bookwalter deaver  senn goelet hohmann cobb charnley gelpi adson cushing potts halsted rumel satinsky cooley bulldog heaney tenaculum hulka auvard pederson sims kevorkian pipelle essure novasure thermachoice rollerball cidex chlorhexidine exparel naropin ropivacaine chloroprocaine tetracaine cetacaine hurricaine anectine zemuron nimbex diprivan forane sevoflurane desflurane suprane dantrium ryanodex precedex dexmedetomidine amidate brevital pentothal`},
	{cMed, `vena linea gravis dorsi femoris pedis brachii carpi digiti pollicis hallucis capitis colli thoracis lumborum radialis ulnaris tibialis longus brevis equina vocalis dartos galeal seroma`},
	{cDate, `on since from until till by dated date dob dos doa dod born birth birthdate birthday admitted admission discharged discharge seen visit visited service started stopped completed performed collected received drawn labs scheduled appointment appt before after through between due expires lmp edc edd reviewed signed dictated transcribed of d t during effective`},
	{cHoliday, `thanksgiving christmas xmas easter halloween passover ramadan hanukkah diwali kwanzaa`},
	{cFiction, `fictional fictitious fictive simulator simulated simulation mock training demo dummy placeholder example imaginary formation curso course template ficticio ficticia fictif fictive sample`},
	{cInvalid, `invalid invalide invalido invalida ungultig ungueltig ongeldig gecersiz invalidated malformed`},
	{cNot, `not no never pas nicht niet kein none non`},
	{cGreet, `dear hi hello hey greetings`},
	{cCode, `icd cpt hcpcs loinc snomed ndc rxnorm drg cvx unii atc icpc icf`},
	{cLive, `lives lived live living resides resided reside residing resident moved relocated born raised grew native originally city town county`},
	{cWork, `works worked work working employed employee employer job clerk teacher engineer manager occupation retired`},
	{cPlaceIn, `in from near to at outside around of`},
	{cLink, `number numbers no num nr nbr id ids is was of code the ending identifier identification issued assigned reads key as used has my her his a please called security record records rec by our last final four digits`},
	{cBy, `by with to from per via for and cc attn`},
	{cRoom, `room bed floor level rm ward grade stage phase type class step`},
	{cYearCue, `in since during year of around circa by until from before after early late mid to`},
	{cOrdinal, `first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth`},
	{cMeet, `discussed met meeting visit spoke talked speak talk conversation seen consulted consultation follow up lives living live works appointment`},
	{cClinical, `qtc qrs inr ptt wbc rbc hgb hct plt bmp cmp cbc ua abg bun egfr tsh psa ldl hdl ef lad rca lvef nyha bp hr rr bmi htn hld dm ckd mi cva tia afib osa gerd uti ivf npo prn bid tid qid qhs po neg pos dx hx rx sx pmh psh ros heent perrla rrr ctab nad wnl dvt gcs foley stent stenosis rhythm sinus protein ketones nitrite troponin lactate cath therapist inventory hernia laparoscopic trocar ventilator immunizations impression activity gait reflexes murmur neuro cranial nerves insulin metformin aspirin patient patients diagnosis diagnosed diagnoses history symptoms symptom pain chest abdomen abdominal surgery surgical blood pressure pulse vitals exam examination lungs cardiac pulmonary renal hepatic neurologic medication medications dose dosage allergies allergy prescribed prescription treatment therapy procedure anesthesia incision biopsy tumor cancer fracture infection antibiotics fever nausea vomiting cough dyspnea edema lesion ultrasound ct mri xray ekg ecg radiograph laboratory labs hemoglobin creatinine glucose sodium potassium platelets culture catheter suture wound admitted discharged admission discharge inpatient outpatient clinic hospital physician nurse surgeon icu er ed followup diabetes hypertension asthma copd chf cad stroke seizure depression anxiety bilateral left right distal proximal anterior posterior lateral medial palpation auscultation normal abnormal acute chronic stable mg ml tablet capsule infusion intravenous oral subcutaneous extremities skin heart liver kidney bladder bowel colon uterus knee hip shoulder spine lumbar cervical arthritis anemia pneumonia`},
	{cDenied, `patient record chart visit date phone number person account address provider compte direccion paciente cuenta persona real telefono`},
	{cPlaceLabel, `location facility hospital clinic campus employer school company`},
	{cForeign, `der die das und fur mit von am im ist nicht ein eine zu auf bei le la les des du et pour dans est une el los las y para con por del het een voor van op il di per che una gli da em para com uma os bir icin ile ve och att som ett`},
	{cNinety, `ninety nonagenarian centenarian`},
	{cFake, `abc abcd xyz xxx xxxx xx`},
}

// idKind is the kind of identifier that a word announces.
type idKind uint8

const (
	idNone idKind = iota
	idMRN
	idSSN
	idAccount
	idCard
	idLicense
	idPlan
	idDevice
	idVehicle
	idPhone
	idFax
	idPager
	idZIP
	idBio
	idPhoto
	idUser
	idOther
	idWeak // from here on the word announces an identifier only with a further sign
	idWeakMRN
	idWeakAccount
	idWeakPlan
	idWeakDevice
	idWeakPhone
	idWeakLicense
	idWeakSSN
)

var idCategory = [...]Category{
	Unknown, MRN, SSN, Account, Account, License, HealthPlan, Device, Vehicle, Phone, Fax, Phone, ZIP, Biometric, Photo, Username, OtherID,
	OtherID, MRN, Account, HealthPlan, Device, Phone, License, SSN,
}

var idLists = []struct {
	id    idKind
	words string
}{
	{idMRN, `mrn mrno mpi emrn`},
	{idWeakMRN, `record rec records chart mr unit hospital med patient`},
	{idSSN, `ssn tin itin`},
	{idWeakSSN, `ss social security`},
	{idAccount, `account acct acc acctno iban fin`},
	{idWeakAccount, `encounter visit claim invoice bill csn har guarantor routing bank contract`},
	{idCard, `visa mastercard amex maestro`},
	{idLicense, `license licence lic dea npi passport certificate cert`},
	{idWeakLicense, `registration permit credential driver drivers dl`},
	{idPlan, `hic hicn mbi medicaid medicare subscriber beneficiary hpb`},
	{idWeakPlan, `member policy plan insurance group payer insured coverage enrollee`},
	{idDevice, `serial udi imei sn meid`},
	{idWeakDevice, `device implant implanted lot model generator pacemaker icd lead lens valve battery`},
	{idVehicle, `vin plate plates vehicle`},
	{idPhone, `phone tel telephone cell mobile telefon telefono handy ext extension voicemail hotline landline whatsapp`},
	{idWeakPhone, `call reach reached contact contacted text number dial ring texted called office desk home work direct answering messages`},
	{idFax, `fax faxed telefax facsimile`},
	{idPager, `pager beeper paged bleep`},
	{idZIP, `zip zipcode postcode postal plz`},
	{idBio, `biometric fingerprint voiceprint retina iris bio`},
	{idPhoto, `photo photograph photograph photoface`},
	{idUser, `username userid login handle user`},
	{idOther, `identifier uuid guid accession aadhaar abha pan cpf nir dni bsn tckn nik nin nhs nif curp fiscale steuer idnr cmnd job`},
	{idWeak, `id ids ref reference order case specimen study confirmation tracking ticket request document protocol subject participant requisition sample dictation unique card employee badge student locator code key`},
}
