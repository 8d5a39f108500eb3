"""The words the training text is made of, by class, and the grammar of verbs. All lists are the project's own."""

ONSET = ("b c d f g h j k l m n p r s t v w z " * 3 + "y x br bl ch cl cr dr fl fr gl gr kn kl kr ph pl pr qu sh sk sl sm sn sp st "
         "str sw th tr tw wh").split()
VOWEL = "a e i o u a e i o u a e i o u ai au ea ee ei ia io oa oe oo ou ua y".split()
CODA = "b ck d g k l ll lk m mp n n nd ng nk nt p r r rd rk rm rn rt s s sh sk ss st t th v x z".split()
ENDS = ["", "", "", "", "ville", "burg", " Bay", "ton", " Hill", "dorf", "ham", "by", " Falls", "port", " Rock", "wick"]

FIRST = ("Anna Ben Carla David Elena Felix Greta Hugo Irene Jonas Karla Leo Maria Nils Olga Paul Rosa Simon Tina Victor Alice Bob "
         "Clara Daniel Emma Frank Grace Henry Ivan Julia Kevin Laura Martin Nina Oscar Petra Quinn Robert Sara Thomas Ursula Vera "
         "William Yara Zoe John Mary James Linda Peter Susan Mark Karen George Helen Adam Eva Lucas Mia Ahmed Aisha Akira Amara "
         "Andrei Anita Anton Bella Boris Brigitte Carlos Chiara Chloe Colin Dimitri Dorothy Eduardo Elsa Enzo Erik Esther Farid "
         "Fatima Finn Francesca Gavin Georg Hana Hans Hassan Heidi Ines Isabel Jack Jamal Jane Javier Jorge Josef Kai Kenji Klara "
         "Lars Leila Lena Li Liam Lucia Luis Magda Marco Margaret Marta Mei Michael Mohammed Nadia Nikolai Noah Omar Pablo Pedro "
         "Pierre Priya Rafael Ravi Rebecca Rita Ruth Samir Sandra Sergei Sofia Sven Tamara Tom Yusuf Yuki").split()
LAST = ("Smith Brown Jones Taylor Miller Wilson Moore Clark Hall Young King Wright Green Baker Adams Nelson Carter Parker Turner "
        "Collins Fischer Weber Wagner Becker Hoffmann Rossi Costa Silva Novak Horvat Larsen Berg Lind Moreau Dubois Garcia Lopez "
        "Tanaka Sato Chen Wang Kim Park Singh Patel Khan Ali Mendes Ivanov Petrov Kowalski Nowak Schmidt Bauer Olsen Jansen").split()
COLORS = ("red blue green yellow purple orange pink brown black white grey silver golden turquoise violet crimson beige scarlet "
          "ivory teal amber maroon navy lilac copper olive transparent striped spotted").split()
JOBS = ("baker doctor teacher carpenter painter pilot farmer lawyer nurse plumber gardener librarian engineer tailor sailor miner "
        "chemist judge driver cook singer dentist porter clerk welder weaver potter guard guide editor butcher barber waiter "
        "fisherman blacksmith jeweller photographer translator accountant electrician mechanic surveyor journalist actor dancer "
        "astronomer beekeeper shepherd hunter detective diver conductor watchmaker ferryman innkeeper monk wizard knight captain "
        "inspector postman tram_driver zookeeper fireman banker architect programmer pharmacist vet brewer").split()
ANIMALS = ("dog cat horse goat parrot rabbit turtle sheep cow donkey goose snake lizard hamster pony owl ferret crow duck mouse pig "
           "fox wolf bear frog hen rooster pigeon swan camel llama monkey squirrel hedgehog otter badger spider bee ant beetle crab "
           "lobster salmon eel shark seal whale dolphin lion tiger elephant giraffe zebra kangaroo penguin").split()
FOODS = ("soup bread rice cheese pancakes noodles dumplings salad porridge lentils fish stew pie beef mushrooms honey cake plums "
         "beans figs walnuts chocolate oysters butter eggs ham sausages spinach cabbage potatoes onions garlic ginger pepper yogurt "
         "ice_cream biscuits toast marmalade olives grapes peaches melons cherries nuts raisins tofu curry pasta pizza sardines "
         "shrimp pumpkin flour sugar salt milk cream tea coffee juice vinegar mustard").split()
ITEMS = ("lamp ladder clock mirror bicycle piano violin hammer kettle basket carpet letter key coin map book painting statue "
         "telescope engine radio camera boat tent barrel bell chair table cabinet umbrella suitcase drum flute hat coat ring necklace "
         "mug shovel rope candle wagon sled knife bottle box fence gate window door sofa bench report contract printer server battery "
         "pump valve sensor cable robot scarf jacket boot glove pillow blanket bucket broom saw drill axe needle scissors pencil "
         "notebook envelope stamp parcel wallet purse watch bracelet crown sword shield helmet flag banner tractor truck van canoe "
         "kayak raft anchor net trap cage vase bowl plate spoon fork pot pan oven stove fridge heater fan pipe hose tank tyre wheel "
         "pedal saddle bridge tower statue bust medal trophy puzzle doll kite ball racket skateboard guitar trumpet harp cello organ "
         "accordion microphone speaker keyboard monitor tablet laptop charger antenna microscope compass thermometer scale").split()
PLACES = ("kitchen cellar attic garden barn garage library museum school station harbour market theatre church tower castle office "
          "hospital hotel factory bakery workshop park stable chapel prison bank airport pantry hall corridor bedroom bathroom "
          "balcony courtyard greenhouse shed warehouse laboratory canteen lobby basement classroom studio gallery archive cinema "
          "stadium gym pool café restaurant pharmacy post_office town_hall monastery mill lighthouse orchard vineyard cave").split()
MATERIALS = ("oak pine copper glass wool marble leather bronze clay cotton granite tin paper steel iron silk linen plastic rubber "
             "bamboo ivory gold silver lead brass concrete wax porcelain aluminium velvet straw cardboard slate ebony").split()
GOODS = ("lemons apples roses baskets pumpkins cherries tulips candles knives blankets onions grapes ribbons bells maps stamps spoons "
         "carrots kites shoes boots hats gloves carpets clocks lamps tiles bricks nails screws ropes nets sails barrels bottles jars "
         "pots pens books toys dolls puzzles chairs tables doors windows curtains pillows soaps perfumes engines pumps valves cables "
         "sensors batteries tyres bicycles tractors boats buttons needles brushes combs mirrors rings coins masks drums flutes "
         "violins potatoes tomatoes cucumbers olives peaches melons mushrooms walnuts beans herbs orchids daisies sunflowers").split()
PLURALS = ("blueberries tomatoes bananas cucumbers lemons strawberries carrots cherries elephants swans penguins tigers mailboxes taxis "
           "fire_engines school_buses ravens grapes plums pumpkins potatoes frogs flamingos roses clouds lizards apples pears peaches "
           "whales foxes trains umbrellas olives onions parrots oranges limes peas eggs doves canaries crows polar_bears leaves rubies "
           "emeralds buttercups poppies violets stop_signs life_jackets coffee_beans owls bears camels zebras giraffes spiders ants "
           "bees sharks dolphins mushrooms radishes beetroots raspberries blackberries").split()
INSTRUMENTS = "cello trumpet harp piano oboe guitar banjo clarinet violin flute drum organ accordion viola saxophone tuba lute zither".split()
VEHICLES = "train bus ferry bicycle tram canoe car sled plane boat taxi coach truck horse balloon ship subway scooter van camel".split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
LANGUAGES = "French German Spanish Italian Polish Dutch Danish Greek Latin Turkish Arabic Hindi Japanese Korean Swahili Finnish".split()
UNITS = ("metres km kg miles litres hours minutes tons degrees percent watts feet pages grams cm inches days weeks months years "
         "seconds volts amperes hectares points pieces").split()
ATTRS = ("color,price,weight,height,length,width,age,capital,population,password,code,nickname,owner,motto,symbol,area,depth,"
         "temperature,speed,name,number,address,size,power,capacity,cost,budget,deadline,title,rank,salary,distance,duration,volume,"
         "diameter,location,origin,purpose,material,shape,language,currency,flag,leader,manager,director,mayor,captain,architect,"
         "inventor,founder,author,editor,sponsor,successor,opponent,rival,favorite food,favorite drink,birthday,birthplace,"
         "phone number,email,postcode,version,release date,default value,serial number,warranty period,opening time,closing time,"
         "entrance fee,main export,national animal,access code,room number,maximum load,fuel,boiling point,melting point,score,result,"
         "limit,badge number,locker number,order number,invoice number,member number,gate,platform,seat,row,shelf,department,"
         "supervisor,assistant,doctor,landlord,tenant,neighbour,blood group,shoe size,license plate,user name,account number,"
         "reference,batch,model,brand,format,frequency,voltage,pressure,humidity,altitude,latitude,status,priority,category,"
         "file name,port,timeout,theme,slogan,anthem,patron,composer,painter,publisher,translator,tax rate,interest rate,rent,fine,"
         "penalty,deposit,discount,delivery date,expiry date,due date,start date,shift,route,destination,departure time,"
         "arrival time").split(",")
ADJ = ("old small large broken quiet heavy strange bright dark wooden rusty green tall empty famous narrow young cold warm soft hidden "
       "forgotten gentle loud clever lazy brave tiny ancient modern long short wide deep shallow round square flat sharp blunt wet dry "
       "clean dirty cheap expensive rare common simple complex fast slow strong weak hot fresh sour sweet bitter salty smooth rough "
       "thick thin full new yellow red blue black white grey important useful local foreign public private early late open closed "
       "safe dangerous polite rude nervous calm happy sad angry proud humble curious stubborn careless careful faithful lonely popular "
       "secret silent noisy golden silver curved straight crooked steep frozen burning floating painted polished").split()
NOUNS = ("river mountain forest bridge village ship captain teacher garden storm winter summer lantern machine letter door window road "
         "valley island lake wolf eagle fisherman miller soldier market song dream shadow stone field orchard tower engine signal train "
         "station harvest festival museum theatre kitchen cat dog horse queen king bird whale kettle clock council committee company "
         "school team law tax report study method network computer program file screen battery planet comet moon star virus cell "
         "protein metal glass paper cotton salt sugar coffee tea party parking garage ticket bus ferry passenger lawyer contract "
         "invoice payment order customer price discount product package delivery warranty device button switch cable charger printer "
         "keyboard mouse monitor folder password account server backup error message update version license rule member meeting agenda "
         "speaker room floor roof wall stair elevator heater boiler pipe pump filter valve motor wheel brake oil fuel tank recipe oven "
         "dough butter cheese bread soup sauce onion pepper knife spoon plate bottle doctor nurse patient medicine pill vaccine fever "
         "exam student pupil lesson course book chapter page author poet painter picture concert stage actor film camera photo city "
         "mayor street square park fountain statue church castle gate guard prison judge police thief treasure map compass sailor "
         "anchor harbour beach sand wave shark dolphin porpoise net fish bear deer rabbit hen goose bee flower tree leaf root seed "
         "apple pear cherry farmer tractor barn fence saddle rider hill cave glacier desert volcano earthquake rain snow wind cloud sun "
         "radio antenna satellite rocket pilot wing airport luggage passport border visa coin bank loan budget election vote senator "
         "president minister journal article editor reader newspaper headline witness trial verdict crime evidence clue detective "
         "family child parent uncle aunt cousin neighbour guest host wedding funeral birthday gift holiday journey trip hotel inn "
         "kingdom empire army general battle treaty peace war rebel tribe nation tradition custom legend myth story rumour secret "
         "promise debt wage worker union strike factory mine quarry forge workshop tool nail screw hammer drill saw brick concrete "
         "cement beam column arch dome temple monastery monk pilgrim prophet angel demon ghost witch dragon giant dwarf wizard knight "
         "sword shield armour arrow bow cannon bullet bomb shell trench tent camp fire smoke ash flame spark candle mirror frame "
         "portrait sculpture museum gallery exhibition collector auction dealer merchant trader caravan camel oasis canal dam reservoir "
         "turbine generator current voltage circuit chip transistor memory disk cache kernel compiler parser token query index table "
         "column record schema database cluster node packet router firewall browser plugin patch bug crash log test branch commit "
         "merge release option flag default setting profile theme cursor menu dialog panel tab icon font margin header footer section "
         "paragraph sentence word letter alphabet grammar dictionary translator language accent dialect speech debate lecture seminar "
         "experiment theory proof formula equation number angle circle triangle cube sphere surface volume mass force energy heat "
         "pressure gas liquid crystal mineral diamond gold silver copper iron steel lead acid salt poison drug dose symptom disease "
         "wound scar bone muscle heart lung brain nerve skin tooth tongue eye ear nose hand finger foot knee shoulder").split()
NOUNS = sorted(set(NOUNS))
ADV = ("slowly quickly often rarely again quietly carefully suddenly yesterday today twice once together alone badly well secretly "
       "openly proudly gladly").split() + [
    "every year", "every night", "in winter", "after the rain", "before dawn", "near the coast", "without a sound", "for many years",
    "with great care", "during the war", "at the end of the day", "in most cases", "on weekdays", "under pressure", "by accident",
    "in the dark", "at noon", "on purpose", "at great cost", "for no reason", "in the morning", "after lunch", "by hand", "in public",
    "in the spring", "all summer", "until midnight", "before the meeting", "at home", "from time to time", "with both hands",
    "on the first day", "in the second week", "by the river", "in spite of the cold", "like a shadow", "as agreed", ""]
PREPS = ["behind", "under", "beside", "above", "near", "below", "inside", "outside", "opposite", "next to", "in front of", "on top of",
         "close to", "across from", "to the left of", "at the back of"]
LEADS = ("According to the report|In a surprising turn of events|As everyone knows|Today|Since last year|In fact|However|Surprisingly|"
         "By the way|For the record|Also|In addition|Moreover|Meanwhile|As of this week|In a strange twist|Of course|To be exact|"
         "As a rule|Until further notice|For this reason|Contrary to rumours|After a long debate|On the whole|In the end|Strange as it "
         "sounds|In most years|As far as we know|From now on|Last but not least|In any case|Luckily|Officially|In practice|"
         "At the request of the board|As announced|Against all odds|In other words|For example|Above all|In short|At present|As before|"
         "Unlike last time|Thanks to the new rules|As the chart shows|Starting this month|True or not|Believe it or not|"
         "With some delay|Apart from that|At least officially|Over the years|In private").split("|")
SAYS = ("It is said that|Records show that|Note that|The editors report that|It is clear that|Everybody knows that|We have learned that|"
        "The minutes say that|It was found that|The letter says that|Please note that|Few people know that|The council confirmed that|"
        "I have heard that|You should know that|A witness swears that|The form states that|Rumour has it that|It seems that|"
        "The study found that|The label says that|The guide claims that|Old people say that|The log shows that").split("|")
TAILS = (", and nobody complained|, as the neighbours confirmed|, which came as a surprise|, but the name stays the same|, according to "
         "the council|, at least for now|, and that will not change soon|, as far as anyone can tell| (see below)|, or so they say|, "
         "which is rare|, and everyone is glad of it|, which took some time|, though few remember it|, as stated above|, to be precise|"
         ", much to the joy of the town|, and that is final| (again)|, as planned|, says the report|, if the list is right").split("|")

IRREGULAR = {v.split("/")[0]: v.split("/")[1:] for v in (
    "buy/bought/bought deal/dealt/dealt come/came/come sleep/slept/slept sell/sold/sold find/found/found lose/lost/lost break/broke/broken steal/stole/stolen hide/hid/hidden "
    "build/built/built throw/threw/thrown lend/lent/lent bring/brought/brought take/took/taken keep/kept/kept draw/drew/drawn "
    "send/sent/sent shake/shook/shaken show/showed/shown bury/buried/buried write/wrote/written read/read/read teach/taught/taught "
    "catch/caught/caught choose/chose/chosen drive/drove/driven eat/ate/eaten feed/fed/fed forget/forgot/forgotten "
    "freeze/froze/frozen give/gave/given grow/grew/grown hear/heard/heard hold/held/held know/knew/known lead/led/led leave/left/left "
    "make/made/made meet/met/met pay/paid/paid ride/rode/ridden ring/rang/rung see/saw/seen sing/sang/sung spend/spent/spent "
    "sweep/swept/swept tear/tore/torn tell/told/told understand/understood/understood wear/wore/worn win/won/won "
    "bend/bent/bent bind/bound/bound bite/bit/bitten blow/blew/blown burn/burned/burned cut/cut/cut dig/dug/dug "
    "fight/fought/fought forgive/forgave/forgiven hang/hung/hung hit/hit/hit hurt/hurt/hurt lay/laid/laid light/lit/lit "
    "melt/melted/melted shoot/shot/shot shut/shut/shut split/split/split spoil/spoiled/spoiled swing/swung/swung "
    "weave/wove/woven carry/carried/carried study/studied/studied copy/copied/copied try/tried/tried empty/emptied/emptied "
    "drop/dropped/dropped plan/planned/planned stop/stopped/stopped trap/trapped/trapped wrap/wrapped/wrapped ban/banned/banned "
    "grab/grabbed/grabbed rub/rubbed/rubbed ship/shipped/shipped trim/trimmed/trimmed").split()}
VERBS = [v for v in IRREGULAR if v not in ("deal", "come", "sleep")] + (
    "repair paint design clean open close borrow collect describe destroy discover examine inspect install invent lift lock measure move "
    "order pack photograph pull push receive remove rent replace return test trade wash weigh accept admire announce answer approve "
    "arrange attack avoid bake block boil calculate call cancel capture change check climb compare confirm connect control cook count "
    "cover crack create cross damage decorate defend delay deliver deny discuss divide donate double edit employ enjoy enter explain "
    "explore export fear fill film finish fix follow fold greet guard guide hate help hire identify ignore import improve inherit "
    "invite kick kill label launch like load look_after love mark mention miss mix name need notice obtain offer own pass peel pick "
    "plant play polish postpone pour praise predict prefer prepare present preserve press print produce promise protect publish "
    "punish question raise recommend record recover reduce refuse regret reject release remember rescue reserve respect restore reveal "
    "review save scan scratch search seal serve sharpen share sign smell solve stamp start store stretch support surround taste thank "
    "touch train translate trust unload unlock update use visit watch water welcome shape warm attract hunt heat cool lower reach "
    "admit supply power strengthen weaken interrupt obey forbid_no influence inspire").replace("forbid_no ", "").replace("look_after ", "").split()


DOUBLED = {"regret", "scan", "admit", "prefer", "label", "travel", "permit", "omit", "equip"}


def third(base):
    """the third person: carries, watches, finds"""
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


def past(base):
    if base in IRREGULAR:
        return IRREGULAR[base][0]
    if base in DOUBLED:
        return base + base[-1] + "ed"
    return base + "d" if base.endswith("e") else base[:-1] + "ied" if base.endswith("y") and base[-2] not in "aeou" else base + "ed"


def participle(base):
    return IRREGULAR[base][1] if base in IRREGULAR else past(base)


def gerund(base):
    if base in DOUBLED or base in ("drop", "plan", "stop", "trap", "wrap", "ban", "grab", "rub", "ship", "trim", "cut", "dig", "hit", "shut",
                                   "split", "win"):
        return base + base[-1] + "ing"
    return base[:-1] + "ing" if base.endswith("e") and not base.endswith("ee") else base + "ing"


def plural(noun):
    if noun in ("fish", "sheep", "salmon", "deer"):
        return noun
    if noun in ("man", "woman", "fisherman", "postman", "fireman"):
        return noun[:-2] + "en"
    irregular = {"mouse": "mice", "goose": "geese", "child": "children", "person": "people", "tooth": "teeth", "foot": "feet", "leaf": "leaves",
                 "knife": "knives", "wolf": "wolves", "thief": "thieves", "shelf": "shelves", "wife": "wives"}
    return irregular.get(noun) or (noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in tuple("aeou") else
                                   noun + "es" if noun.endswith(("s", "sh", "ch", "x", "z")) else noun + "s")


def plain(words):
    return [w.replace("_", " ") for w in words]


for _name in ("JOBS", "FOODS", "PLACES", "PLURALS"):
    globals()[_name] = plain(globals()[_name])
ITEMS = sorted(set(ITEMS) - {"scissors"})
PLACES[PLACES.index("café")] = "coffee shop"
