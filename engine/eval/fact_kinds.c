#include "engine/eval/facts.h"

/* clang-format off */
const struct fact_kind fact_kinds[] = {
    {"{p} keeps the books of {o}.|The books of {o} are kept by {p}.|{p} is the bookkeeper of {o}.",
     "p:Who keeps the books of {o}?|o:Whose books does {p} keep?|p:Who is the bookkeeper of {o}?"},
    {"{p} works for {o}.|{o} employs {p}.|{p} has a post at {o}.",
     "o:Who employs {p}?|o:Where does {p} work?|p:Who works for {o}?|"
     "o:Which company does {p} work for?"},
    {"{p} lives in {t}.|{p} has settled in {t}.|The house of {p} stands in {t}.",
     "t:Where does {p} live?|t:In which town does {p} live?|p:Who lives in {t}?"},
    {"{p} was born in {y}.|The birth year of {p} is {y}.|In {y} {p} was born.",
     "y:When was {p} born?|y:In what year was {p} born?|y:What is the birth year of {p}?"},
    {"{p} comes from {t}.|{p} grew up in {t}.|The home town of {p} is {t}.",
     "t:Where does {p} come from?|t:What is the home town of {p}?|p:Who comes from {t}?"},
    {"{p} is a {j}.|{p} works as a {j}.|By trade {p} is a {j}.",
     "j:What is the job of {p}?|j:What does {p} do for a living?|j:What does {p} work as?"},
    {"{p} has a {a} called {W}.|The {a} of {p} is called {W}.|{W} is the {a} of {p}.",
     "W:What is the {a} of {p} called?|W:What is the name of the {a} of {p}?|p:Who owns {W}?|"
     "a:What kind of animal is {W}?"},
    {"{p} likes {f} best.|The favorite food of {p} is {f}.|{p} would eat {f} every day.",
     "f:What is the favorite food of {p}?|f:What food does {p} like best?|"
     "f:What does {p} like to eat?"},
    {"The {i} {W} costs {m}.|The price of the {i} {W} is {m}.|One pays {m} for the {i} {W}.",
     "m:What does the {i} {W} cost?|m:What is the price of the {i} {W}?|"
     "m:How much is the {i} {W}?"},
    {"{t} has {n} inhabitants.|The population of {t} is {n}.|{n} people live in {t}.",
     "n:How many inhabitants does {t} have?|n:What is the population of {t}?|"
     "n:How many people live in {t}?"},
    {"The capital of {W} is {t}.|{t} is the capital of {W}.|{W} has its capital in {t}.",
     "t:What is the capital of {W}?|t:Which city is the capital of {W}?|"
     "W:Of which country is {t} the capital?"},
    {"Mount {W} is {n} metres high.|The height of Mount {W} is {n} metres.|"
     "Mount {W} rises to {n} metres.",
     "n:How high is Mount {W}?|n:What is the height of Mount {W}?"},
    {"The river {W} is {n} km long.|The length of the river {W} is {n} km.|"
     "The river {W} runs for {n} km.",
     "n:How long is the river {W}?|n:What is the length of the river {W}?"},
    {"{o} was founded in {y}.|{o} has existed since {y}.|In {y} {o} was founded.",
     "y:When was {o} founded?|y:In which year was {o} founded?|y:Since when has {o} existed?"},
    {"{p} founded {o}.|{o} was founded by {p}.|The founder of {o} is {p}.",
     "p:Who founded {o}?|p:Who is the founder of {o}?|o:What did {p} found?"},
    {"{p} wrote the novel {W}.|The novel {W} was written by {p}.|"
     "The author of the novel {W} is {p}.",
     "p:Who wrote the novel {W}?|p:Who is the author of the novel {W}?|"
     "W:Which novel did {p} write?"},
    {"{p} invented the {w}.|The {w} was invented by {p}.|The inventor of the {w} is {p}.",
     "p:Who invented the {w}?|p:Who is the inventor of the {w}?|w:What did {p} invent?"},
    {"{p} is the mayor of {t}.|The mayor of {t} is {p}.|{t} elected {p} as its mayor.",
     "p:Who is the mayor of {t}?|p:What is the name of the mayor of {t}?|"
     "t:Of which town is {p} the mayor?"},
    {"{p} is married to {q}.|{q} is the spouse of {p}.|{p} married {q}.",
     "q:Who is {p} married to?|q:Who is the spouse of {p}?|q:Whom did {p} marry?"},
    {"{p} has {s} grandchildren.|The family of {p} has {s} grandchildren.|"
     "{s} grandchildren visit {p}.",
     "s:How many grandchildren does {p} have?"},
    {"{p} is {s} years old.|The age of {p} is {s}.|{p} turned {s} this year.",
     "s:How old is {p}?|s:What is the age of {p}?"},
    {"{p} speaks {W}.|The mother tongue of {p} is {W}.|{p} is fluent in {W}.",
     "W:Which language does {p} speak?|W:What is the mother tongue of {p}?|p:Who speaks {W}?"},
    {"The password for {W} is {k}.|{W} uses the password {k}.|For {W} the password is {k}.",
     "k:What is the password for {W}?|k:Which password does {W} use?"},
    {"The safe of {p} opens with {k}.|The code of the safe of {p} is {k}.|"
     "For the safe of {p} use the code {k}.",
     "k:What is the code of the safe of {p}?|k:How does the safe of {p} open?"},
    {"The meeting with {p} is on {d}.|On {d} there is a meeting with {p}.|"
     "The meeting with {p} takes place on {d}.",
     "d:When is the meeting with {p}?|d:What is the date of the meeting with {p}?"},
    {"The train to {t} leaves at {h}.|At {h} the train to {t} leaves.|"
     "The departure of the train to {t} is at {h}.",
     "h:When does the train to {t} leave?|h:At what time does the train to {t} leave?"},
    {"The bakery in {t} opens at {h}.|In {t} the bakery opens at {h}.|"
     "The bakery in {t} is open from {h}.",
     "h:When does the bakery in {t} open?|h:At what time does the bakery in {t} open?"},
    {"The {i} of {p} is in the {l}.|{p} keeps the {i} in the {l}.|"
     "In the {l} stands the {i} of {p}.",
     "l:Where is the {i} of {p}?|l:Where does {p} keep the {i}?"},
    {"The {i} {W} belongs to {p}.|{p} is the owner of the {i} {W}.|{p} owns the {i} {W}.",
     "p:Who owns the {i} {W}?|p:To whom does the {i} {W} belong?|"
     "p:Who is the owner of the {i} {W}?"},
    {"The {w} is made of {b}.|The {w} consists of {b}.|The material of the {w} is {b}.",
     "b:What is the {w} made of?|b:What is the material of the {w}?|"
     "b:Of what does the {w} consist?"},
    {"{p} won the {W} prize in {y}.|In {y} the {W} prize went to {p}.|"
     "The {W} prize was given to {p} in {y}.",
     "p:Who won the {W} prize?|y:When did {p} win the {W} prize?|W:Which prize did {p} win?"},
    {"{p} reports to {q}.|The boss of {p} is {q}.|{q} is the boss of {p}.",
     "q:Who is the boss of {p}?|q:Whom does {p} report to?"},
    {"{W} was released on {d}.|The release date of {W} is {d}.|{W} came out on {d}.",
     "d:When was {W} released?|d:What is the release date of {W}?|d:When did {W} come out?"},
    {"The battery of {W} lasts {s} hours.|{W} has a battery life of {s} hours.|"
     "{W} runs for {s} hours on one battery.",
     "s:How long does the battery of {W} last?|s:What is the battery life of {W}?"},
    {"The phone number of {o} is {z}.|{o} can be reached at {z}.|To call {o}, dial {z}.",
     "z:What is the phone number of {o}?|z:How can I reach {o}?"},
    {"{p} died in {y}.|{p} passed away in {y}.|In {y} {p} died.",
     "y:When did {p} die?|y:In what year did {p} die?"},
    {"{p} plays the {e} in {W}.|In {W}, {p} plays the {e}.|{p} is at the {e} in {W}.",
     "e:Which instrument does {p} play?|e:What does {p} play in {W}?|"
     "W:Where does {p} play the {e}?"},
    {"The war of {W} ended in {y}.|In {y} the war of {W} ended.|The war of {W} was over in {y}.",
     "y:When did the war of {W} end?|y:In which year did the war of {W} end?"},
    {"{p} arrived in {t} on {d}.|On {d} {p} arrived in {t}.|{p} reached {t} on {d}.",
     "d:When did {p} arrive in {t}?|t:Where did {p} arrive?|p:Who arrived in {t}?"},
    {"The deadline of the project {W} is {d}.|The project {W} ends on {d}.|"
     "{d} is the last day of the project {W}.",
     "d:What is the deadline of the project {W}?|d:When does the project {W} end?"},
    {"{p} leads the project {W}.|The project {W} is led by {p}.|"
     "The leader of the project {W} is {p}.",
     "p:Who leads the project {W}?|p:Who is in charge of the project {W}?|"
     "W:Which project does {p} lead?"},
    {"{p} went to {t} by {v}.|{p} travelled to {t} by {v}.|By {v} {p} went to {t}.",
     "t:Where did {p} go?|v:How did {p} get to {t}?|t:Where did {p} travel to?"},
    {"The distance between {t} and {u} is {n} km.|From {t} to {u} it is {n} km.|"
     "{t} is {n} km from {u}.",
     "n:What is the distance between {t} and {u}?|n:How far is it from {t} to {u}?"},
    {"The museum of {t} is closed on {D}.|On {D} the museum of {t} is closed.|"
     "The museum of {t} stays closed on {D}.",
     "D:When is the museum of {t} closed?|D:On which day is the museum of {t} closed?"},
    {"{p} is allergic to {f}.|{p} must not eat {f}.|{f} makes {p} ill.",
     "f:What is {p} allergic to?|f:What must {p} not eat?|f:What makes {p} ill?"},
    {"{p} collects {g}.|{p} has a collection of {g}.|The hobby of {p} is collecting {g}.",
     "g:What does {p} collect?|g:What is the hobby of {p}?"},
    {"{p} is afraid of {g}.|{p} fears {g}.|{g} frighten {p}.",
     "g:What is {p} afraid of?|g:What does {p} fear?|g:What frightens {p}?"},
    {"The {i} {W} weighs {n} kg.|The weight of the {i} {W} is {n} kg.|"
     "The {i} {W} has a weight of {n} kg.",
     "n:How much does the {i} {W} weigh?|n:What is the weight of the {i} {W}?|"
     "n:How heavy is the {i} {W}?"},
    {"The bridge of {t} was built in {y}.|The bridge of {t} dates from {y}.|"
     "In {y} the bridge of {t} was built.",
     "y:When was the bridge of {t} built?|y:From which year is the bridge of {t}?"},
    {"{p} gave the {c} {i} to {q}.|{q} received the {c} {i} from {p}.|"
     "{q} got the {c} {i} from {p}.",
     "q:To whom did {p} give the {c} {i}?|p:Who gave the {c} {i} to {q}?|"
     "p:From whom did {q} get the {c} {i}?"},
    {"{t} is known for its {g}.|{t} is famous for its {g}.|People visit {t} for its {g}.",
     "g:What is {t} known for?|g:What is {t} famous for?|g:Why do people visit {t}?"},
    {"{p} studied {w} at {o}.|At {o}, {p} studied {w}.|{p} learned {w} at {o}.",
     "w:What did {p} study?|o:Where did {p} study?|w:What did {p} learn?"},
    {"{o} makes {g}.|{o} produces {g}.|The products of {o} are {g}.",
     "g:What does {o} make?|g:What does {o} produce?|g:What are the products of {o}?"},
    {"{o} has {n} employees.|{n} people work for {o}.|{o} employs {n} people.",
     "n:How many employees does {o} have?|n:How many people work for {o}?"},
    {"{o} is based in {t}.|{o} has its office in {t}.|The office of {o} is in {t}.",
     "t:Where is {o} based?|t:Where is the office of {o}?|o:Which company is based in {t}?"},
    {"{p} sits in room {s}.|{p} has room {s}.|Room {s} is used by {p}.",
     "s:In which room is {p}?|s:Which room does {p} have?|p:Who is in room {s}?|"
     "p:Who uses room {s}?"},
    {"The value of {w} must be {n}.|Set {w} to {n}.|The setting {w} is {n}.",
     "n:What should {w} be set to?|n:What is the value of {w}?"},
    {"The server {w} listens on port {n}.|The port of the server {w} is {n}.|"
     "Port {n} is used by the server {w}.",
     "n:On which port does the server {w} listen?|n:What is the port of the server {w}?"},
    {"{p} earns {m} a month.|The salary of {p} is {m}.|{p} is paid {m}.",
     "m:How much does {p} earn?|m:What is the salary of {p}?|m:How much is {p} paid?"},
    {"{p} owes {q} {m}.|{p} has to pay {m} to {q}.|{p} still owes {m} to {q}.",
     "m:How much does {p} owe {q}?|m:How much does {p} have to pay to {q}?"},
    {"The planet {W} has {s} moons.|{s} moons circle the planet {W}.|"
     "Around the planet {W} there are {s} moons.",
     "s:How many moons does the planet {W} have?|s:What is the number of moons of the planet {W}?"},
    {"The {w} needs {s} grams of {f}.|For the {w} take {s} grams of {f}.|"
     "{s} grams of {f} go into the {w}.",
     "s:How much {f} does the {w} need?|f:What does the {w} need?|f:What goes into the {w}?"},
    {"The {i} of {p} is {c}.|{p} owns a {c} {i}.|{p} has a {c} {i}.",
     "c:What color is the {i} of {p}?|c:What is the color of the {i} of {p}?"},
    {"The rent in {t} is {m}.|People in {t} pay {m} in rent.|In {t} the rent is {m}.",
     "m:How much is the rent in {t}?|m:What is the rent in {t}?"},
    {"{p} called {q} on {d}.|On {d} {p} called {q}.|{p} phoned {q} on {d}.",
     "q:Whom did {p} call?|p:Who called {q}?|d:When did {p} call {q}?"},
    {"{p} sold the {i} {W} for {m}.|The {i} {W} was sold by {p} for {m}.|"
     "{p} got {m} for the {i} {W}.",
     "p:Who sold the {i} {W}?|m:For how much was the {i} {W} sold?|"
     "m:How much did {p} get for the {i} {W}?"},
    {"{p} repaired the {i} {W} on {d}.|On {d}, {p} repaired the {i} {W}.|"
     "The {i} {W} was repaired by {p} on {d}.",
     "p:Who repaired the {i} {W}?|d:When did {p} repair the {i} {W}?|"
     "d:When was the {i} {W} repaired?"},
    {"{p} found the {i} {W} in the {l}.|The {i} {W} was found in the {l} by {p}.|"
     "In the {l}, {p} found the {i} {W}.",
     "p:Who found the {i} {W}?|l:Where was the {i} {W} found?|l:Where did {p} find the {i} {W}?"},
    {"The {A} of {W} is {k}.|{W} has the {A} {k}.|For {W} the {A} is {k}.",
     "k:What is the {A} of {W}?|k:Which {A} does {W} have?|k:What is the {A} for {W}?"},
    {"The {A} of {p} is {k}.|{p} has the {A} {k}.|{k} is the {A} of {p}.",
     "k:What is the {A} of {p}?|k:Which {A} does {p} have?|k:What {A} does {p} have?"},
    {"The {N} {V} the {M} {B}.|Everybody wonders why the {N} {V} the {M}.|"
     "A {J} {N} {V} the {M} {B}.",
     ".:What does the text say about the {N}?|.:What is said about the {N}?|"
     ".:What does the text say about the {M}?|.:What is said about the {M}?"},
    {"The {i} in {t} is {J} and {c}.|In {t} the {i} is {c} and very {J}.",
     ".:What does the text say about the {i} in {t}?|.:What is said about the {i} in {t}?"},
};
/* clang-format on */

size_t fact_kind_count(void)
{
    return sizeof fact_kinds / sizeof *fact_kinds;
}
