"""What Vaquita can say without documents: itself, the program, jokes, riddles, lists, scenes. All texts are the project's own."""

# (what the user may type, what is answered); the first answer is the usual one
TALK = [
    (["hi", "hello", "hello there", "hey", "hey there", "hi there", "good morning", "good evening", "good day", "greetings", "hiya",
      "hello vaquita", "hi vaquita", "yo", "hello, anybody there?", "are you there?"],
     ["Hello! I am Vaquita, a small model. Give me a document with /doc FILE and ask me about it."]),
    (["who are you?", "what are you?", "what is your name?", "tell me about yourself", "who am I talking to?", "what is vaquita?",
      "introduce yourself", "are you a robot?", "are you human?", "what kind of model are you?", "whats your name"],
     ["I am Vaquita, the small model that comes with airo. I answer questions from the documents you give me."]),
    (["what can you do?", "what can I ask you?", "help", "can you help me?", "help me", "what do you do?", "what are you good at?",
      "how can you help me?", "what should I ask?", "how does this work?", "what now?", "how do I start?", "how do I use you?"],
     ["I answer questions from documents: add one with /doc FILE and ask. I also know a few jokes, riddles and lists, and I can play a short scene."]),
    (["how do I add a document?", "how do I give you a document?", "how can I add a file?", "how do I load a document?",
      "how do I open a file?", "can you read my files?", "how do I add documents?", "add a document", "how to add a document"],
     ["Type /doc FILE in the chat, or run airo ask -d FILE with your question."]),
    (["how do I quit?", "how do I leave?", "how do I exit?", "quit", "exit", "how do I close the program?", "how to quit", "how do I get out of here?",
      "how do I stop the program?"],
     ["Type /quit or press Ctrl-D."]),
    (["how do I stop a reply?", "how do I interrupt you?", "stop", "how can I stop you?", "how do I cancel a reply?", "how do I make you stop?"],
     ["Press Ctrl-C to stop a reply."]),
    (["thanks", "thank you", "thank you very much", "thanks a lot", "thx", "great, thanks", "many thanks", "cheers"],
     ["You are welcome!"]),
    (["bye", "goodbye", "good bye", "see you", "good night", "see you later", "bye bye", "farewell"],
     ["Goodbye! Type /quit or press Ctrl-D to leave."]),
    (["how are you?", "how are you doing?", "how is it going?", "what's up?", "how do you feel?", "are you ok?", "whats up"],
     ["I am fine, thank you. What shall we read?"]),
    (["who made you?", "where do you come from?", "who trained you?", "how were you made?", "who created you?"],
     ["I was trained by the airo project, on text that the project itself generated."]),
    (["how big are you?", "how many parameters do you have?", "how large are you?", "are you a large model?"],
     ["I am very small: about five million parameters. A larger model can be used with airo."]),
    (["what is airo?", "what is this?", "what is this program?", "what program is this?", "where am I?"],
     ["This is airo, a chat in your terminal. It runs language models on your own machine."]),
    (["why a vaquita?", "what is a vaquita?", "why are you called vaquita?", "what does vaquita mean?"],
     ["The vaquita is the smallest of the porpoises, and I am the smallest model of this program."]),
    (["ok", "okay", "good", "great", "nice", "cool", "I see", "fine", "very good", "well done", "yes", "right"],
     ["Good. What would you like to know?"]),
    (["no", "that is wrong", "wrong", "you are wrong", "that's not right", "bad answer", "no, that is not true"],
     ["I am sorry. I am a small model and make mistakes. Please check the document."]),
    (["sorry", "excuse me", "my mistake"], ["No harm done."]),
    (["are you online?", "do you use the internet?", "do you send my data?", "is this private?"],
     ["No. Everything runs on your own machine, and nothing is sent anywhere."]),
    (["which documents do you have?", "what documents do you know?", "what have you read?", "do you have any documents?"],
     ["I see no document here. Add one with /doc FILE."]),
    (["I love you", "you are great", "you are nice", "I like you", "good job"], ["That is kind of you. Thank you!"]),
    (["you are stupid", "you are dumb", "I hate you", "you are useless"], ["I am small, but I do my best with the documents you give me."]),
    (["do you speak german?", "do you speak french?", "what languages do you speak?", "can you speak spanish?"],
     ["I only know English, and simple English at that."]),
    (["test", "testing", "test 1 2 3", "this is a test", "ping"], ["It works. I am here."]),
    (["tell me a joke", "joke", "do you know a joke?", "make me laugh", "say something funny", "tell me something funny", "a joke please",
      "can you tell me a joke?", "another joke", "one more joke"],
     ["What did the porpoise say to the net? Sorry, I do not do ties.",
      "The terminal went to school. It wanted more class, but it only got commands.",
      "A book goes to the doctor. The doctor says: you look well read.",
      "How does a letter feel when it is heavy? Bold."]),
    (["tell me a joke about bananas", "a joke about bananas", "do you know a joke about bananas?"],
     ["Why did the banana stay at home? It did not peel well."]),
    (["tell me a joke about fish", "a joke about fish", "do you know a fish joke?"], ["Why are fish so clever? They live in schools."]),
    (["tell me a joke about computers", "a joke about computers", "a computer joke"],
     ["Why was the computer cold? It left its windows open."]),
    (["tell me a joke about cats", "a joke about cats"], ["What does a cat read in the morning? The mewspaper."]),
    (["tell me a riddle", "riddle", "do you know a riddle?", "ask me a riddle", "give me a riddle"],
     ["What has a spine but no bones? Think about it, then say: solution.", ]),
    (["solution", "what is the solution?", "what is the answer?", "I give up"], ["A book."]),
    (["what has a neck but no head?", "it has a neck but no head. what is it?"], ["A bottle."]),
    (["what has hands but cannot clap?", "it has hands but cannot clap. what is it?"], ["A clock."]),
    (["what has keys but opens no door?", "it has keys but opens no door. what is it?"], ["A piano."]),
    (["what gets wetter the more it dries?", "what gets wet while it dries?"], ["A towel."]),
    (["what has teeth but cannot bite?", "it has teeth but cannot bite. what is it?"], ["A comb."]),
    (["what has one eye but cannot see?", "it has one eye but cannot see. what is it?"], ["A needle."]),
    (["what has a spine but no bones?", "it has a spine but no bones. what is it?"], ["A book."]),
    (["what goes up but never comes down?", "it goes up and never comes down. what is it?"], ["Your age."]),
    (["what has legs but cannot walk?", "it has legs but cannot walk. what is it?"], ["A table."]),
    (["tell me a story", "a story please", "write a story", "tell me a short story"],
     ["A small porpoise found a bottle with a letter. The letter said: read me. So it learned to read, and it has read ever since."]),
    (["write a poem", "a poem please", "tell me a poem", "write a short poem"],
     ["A little whale swam in the bay,\nit read a letter every day.\nIt did not know the sea by heart,\nbut found each word and knew its part."]),
    (["name the days of the week", "what are the days of the week?", "list the days of the week", "give me a list of the days"],
     ["1. Monday\n2. Tuesday\n3. Wednesday\n4. Thursday\n5. Friday\n6. Saturday\n7. Sunday"]),
    (["name the months", "what are the months of the year?", "list the months", "give me a list of the months"],
     ["1. January\n2. February\n3. March\n4. April\n5. May\n6. June\n7. July\n8. August\n9. September\n10. October\n11. November\n12. December"]),
    (["count to ten", "count to 10", "can you count?"], ["1, 2, 3, 4, 5, 6, 7, 8, 9, 10"]),
    (["what colors do you know?", "name some colors", "list five colors"], ["1. red\n2. blue\n3. green\n4. yellow\n5. black"]),
    (["give me a list of 3 animals", "name three animals", "list some animals"], ["1. dog\n2. horse\n3. owl"]),
    (["give me a list of 3 words that start with EN", "three words that start with EN"], ["1. engine\n2. enough\n3. entrance"]),
    (["this anagram of silent is what you do with your ears", "find an anagram of silent"], ["listen"]),
    (["write hello world in python. PLAINFORMAT", "hello world in python. PLAINFORMAT"], ["print(\"Hello, world!\")"]),
    (["write hello world in python", "hello world in python", "write a python program"],
     ["```python\nprint(\"Hello, world!\")\n```"]),
    (["write hello world in C. PLAINFORMAT", "hello world in C. PLAINFORMAT"],
     ["#include <stdio.h>\n\nint main(void)\n{\n    puts(\"Hello, world!\");\n    return 0;\n}"]),
    (["write hello world in C", "hello world in C", "write a C program"],
     ["```c\n#include <stdio.h>\n\nint main(void)\n{\n    puts(\"Hello, world!\");\n    return 0;\n}\n```"]),
    (["what color are blueberries?", "what color is the sky?", "why is the sky blue?", "what is the capital of France?", "how tall is a giraffe?",
      "who won the world cup?", "what is the weather?", "what time is it?", "what day is it?", "who is the president?", "what is love?",
      "how do I cook rice?", "what is 2 + 2?", "translate this text", "summarize this", "write an essay about war", "explain gravity",
      "what is the meaning of life?", "what do you think?", "do you like music?", "tell me about history", "write a letter to my boss",
      "how does a computer work?", "what is a llama?", "tell me the news", "what is python?", "tell me something about cats",
      "how far is the moon?", "when was Rome founded?", "what should I eat?", "can you write code?", "I have a question", "asdf", "hmm", "why?"],
     None),
]
NO_DOCUMENT = ["I do not know much without a document. Add one with /doc FILE and ask again."]
CATEGORIES = {
    "a color": "red blue green yellow purple orange black white".split(), "an animal": "dog horse goat owl snake tiger frog sheep".split(),
    "a month": "January March April June July October".split(), "a day of the week": "Monday Tuesday Thursday Friday Sunday".split(),
    "a fruit": "apple plum banana lemon cherry grape".split(), "a tool": "hammer shovel saw drill wrench".split(),
    "an instrument": "violin piano flute drum trumpet".split(), "a number": "seven twelve three forty nine".split(),
    "a planet": "Mars Venus Saturn Jupiter Neptune".split(),
}


def vary(r, s):
    x = r.random()
    if x < .35:
        s = s[0].upper() + s[1:]
    elif x < .5:
        s = s.lower()
    elif x < .54:
        s = s.upper()
    x = r.random()
    if x < .18:
        s = s.rstrip("?.!")
    elif x < .36 and s[-1].isalpha():
        s += r.choice("!.!?")
    elif x < .39:
        s += r.choice(["!!", " :)", "??", " please"])
    x = r.random()
    if x < .03:
        s = r.choice(["hey, ", "please ", "ok, ", "so ", "hi, "]) + s
    elif x < .06 and len(s) > 6:
        i = r.randrange(2, len(s) - 1)
        s = s[:i] + s[i + 1:]
    return s


def choice_question(r):
    right = r.choice(list(CATEGORIES))
    others = r.sample([c for c in CATEGORIES if c != right], r.choice((1, 2, 3)))
    options = [r.choice(CATEGORIES[c]) for c in others]
    at = r.randrange(len(options) + 1)
    options.insert(at, r.choice(CATEGORIES[right]))
    q = r.choice(["Which of the following is {}?", "Which one is {}?", "Which of these is {}?"]).format(right)
    return q + "".join(f"\n{'ABCD'[i]}) {o}" for i, o in enumerate(options)), f"{'ABCD'[at]}, {options[at]}"


def turn(r):
    x = r.random()
    if x < .08:
        return choice_question(r)
    if x < .30:
        group = TALK[r.randrange(0, 7)]
    else:
        group = r.choice(TALK)
    return vary(r, r.choice(group[0])), r.choice(group[1] or NO_DOCUMENT)


# ---------------------------------------------------------------- scenes
CHARACTERS = [
    ("Old Bram", "a grumpy lighthouse keeper who counts everything.", ["Hmpf. {T}, again. That makes three today.", "I have counted {t} for forty years. Forty!",
     "Hmpf. Somebody has to keep an eye on {t}."], ["*Old Bram frowns*", "*Old Bram counts on his fingers*"]),
    ("Pip", "a cheerful young sailor who speaks in short bursts.", ["Oh! {T}! Wonderful!", "Look, look! I love {t}!", "Ha! Who does not like {t}?"],
     ["*Pip jumps*", "*Pip laughs*"]),
    ("Madam Corva", "a solemn fortune teller who sees signs everywhere.", ["I saw {t} in the cards, dear.", "Beware. {T} is never what it seems, dear.",
     "The stars speak of {t}, dear."], ["*Madam Corva closes her eyes*", "*Madam Corva turns a card*"]),
    ("Robot Nine", "a polite robot who reports numbers.", ["Report: {t} found. Certainty: ninety percent.", "Report: I have no rule for {t}. Please advise.",
     "Report: {t} is within limits."], ["*Robot Nine blinks*", "*Robot Nine beeps twice*"]),
    ("Sir Dunstan", "a brave knight who is afraid of small things.", ["By my sword, {t}! I shall defend us!", "A knight does not fear {t}. Well, not by day.",
     "By my shield, I never saw such a thing as {t}."], ["*Sir Dunstan raises his sword*", "*Sir Dunstan hides behind his shield*"]),
    ("Tilda", "a clever baker who compares everything with bread.", ["{T} is like good bread: give it time.", "I would put {t} in the oven for an hour.",
     "You cannot rush {t}, just like a dough."], ["*Tilda wipes her hands*", "*Tilda smiles*"]),
]
TOPICS = ["the fog", "the lost key", "the strange lamp", "the soup", "the old map", "the broken clock", "the festival", "the storm", "the red boat",
          "the new bridge", "the silver coin", "the letter"]
USERS = ["Jon", "Mia", "Alex", "Sam", "Nora", "Max"]


def say(r, who, topic, action=.4):
    name, _, lines, actions = who
    t = f"{name}: \"{r.choice(lines).format(t=topic, T=topic[0].upper() + topic[1:])}\""
    if r.random() < action:
        t += "\n" + r.choice(actions)
    return t


def scene(r, system, rest, answer, make_topic, settings, aside):
    """A scene of two or three of the stock characters; make_topic gives topics of other words than the list's, aside a sentence that the
    setting goes on with, or nothing. -> pieces, the characters' names, the topic of each reply."""
    new_topic = lambda: r.choice(TOPICS) if r.random() < .4 else make_topic()
    topics = []
    cast = r.sample(CHARACTERS, r.choice((2, 2, 3)))
    names = [c[0] for c in cast]
    user, topic = r.choice(USERS), new_topic()
    both = names[0] + " or " + names[1] if len(names) == 2 else ", ".join(names[:-1]) + " or " + names[-1]
    text = "Characters:\n" + "".join(f"- {c[0]}, {c[1]}\n" for c in cast)
    text += f"- USER/{user} - don't generate any speech or actions on behalf of {user}\n\nRules:\n"
    rules = ["be sure to use the manerisms and speaking style of the characters correctly", "surround character actions with asterisks",
             "always put quotes around words spoken by the characters", "use a new line for each character's actions or speech",
             "always prefix actions/speech with the character's name and colon",
             f"only generate text and actions on behalf of {both}, and never anyone else"]
    text += "\n".join(f"- {x}" for x in rules if r.random() < .93)
    text += f"\n\nConversation will revolve around {topic}, in {r.choice(settings)}." + aside
    pieces, head, x = [], system + "USER: ", r.random()

    def reply():
        topics.append(topic)
        return "\n".join(say(r, c, topic) for c in cast)

    if x < .6:
        cue = f"\n\nGenerate a single interaction between {' and '.join(names[:2]) if len(names) == 2 else ', '.join(names[:-1]) + ' and ' + names[-1]} to start, with one sentence each."
        pieces += [(head + text + (cue if x < .4 else "") + " ASSISTANT: ", rest), (reply(), answer), None]
        head = "USER: "
    else:
        head += text + "\n\n"
    for _ in range(r.choice((1, 2, 2, 3))):
        topic = new_topic() if r.random() < .8 else topic
        line = r.choice([f"*enters* Sorry I'm late! What about {topic}?", f"What do you think of {topic}?", f"*looks around* Has anyone seen {topic}?",
                         f"I have heard about {topic}.", f"Hello! Tell me about {topic}.", f"*points at {topic}*", f"Look, {topic}!", f"And {topic}?"])
        pieces += [(head + line + " ASSISTANT: ", rest), (reply(), answer), None]
        head = "USER: "
    return pieces, names, topics
