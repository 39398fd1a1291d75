"""A made-up rulebook of the second generation, small enough to read at once.

It has one of everything that the generation knows: conditional questions with and without a neutral
answer, certain points, a gate, a band with needs, flags with exceptions, and guidance.
"""

import tomllib
from decimal import Decimal
from functools import cache

from schemas.rulebooks.rulebook import Rulebook
from scoring.compiled_rulebook import LoadedRulebook

SMALL_SECOND = """
[rulebook]
instrument = "weather"
version = "2.0.0"
title = "Weather pain"
summary = "A dozen questions."
intended_use = "Tests."
language = "en"
points_are = "Made up."
copyright = "None."
scoring_rules = 2
must_answer = ["age", "storms"]
safety_questions = ["storms"]
scope_questions = ["indoors"]
assessed_question = "looked_at"
confidential_questions = ["secret"]
alternatives_from = 3
crisis_lines_when = { question = "storms", includes = ["dread"] }

[wording]
answered = "{finding}: {points}."
discounted = "{finding}: {full_points}, x{factor} = {points}, because {because}."
unanswered = "Open ({questions}): {points} now, {least} to {most}."
points = "{number} points"
point = "{number} point"
listed = ", "
and = " and "
nothing_marked = "none of these"
truth_true = "yes"
truth_false = "no"
not_answered = "not answered"
unverified_sources = "Not re-read: {sources}."
no_flag = "No flag."
no_flag_asked = "None asked."
withheld = "Withheld."
out_of_scope = "Out of scope: {reasons}."
insufficient = "Too little."
scored = "{band}: {meaning}"
as_answered_so_far = "{band}; {least} to {most}."
band_would_be = "Would be {band}; first: {questions}."
between_bands = "{least} to {most}."
not_safe_to_rely_on = "Not safe."
does_not_concern = "not asked"
needed_for_safety = "needed"
no_alternatives = "None."

[[citation]]
id = "someone_2020"
text = "Someone. 2020."

[[topic]]
id = "sky"
label = "Sky"

[[question]]
id = "age"
topic = "sky"
who = "patient"
kind = "integer"
minimum = 0
maximum = 120
label = "Age"
text = "How old?"

[[question]]
id = "months"
topic = "sky"
who = "patient"
kind = "decimal"
minimum = 0
maximum = 1200
label = "Duration"
text = "Since when?"

[[question]]
id = "indoors"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Indoors"
text = "Never outside?"
ask_when = { question = "age", at_most = 55 }
neutral = false

[[question]]
id = "storms"
topic = "sky"
who = "patient"
kind = "multi"
label = "Storms"
text = "Which storms?"
options = [
  { id = "thunder", label = "thunder" },
  { id = "hail", label = "hail" },
  { id = "gale", label = "a gale" },
  { id = "dread", label = "dread" },
]

[[question]]
id = "rain"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Rain"
text = "Does it hurt in the rain?"

[[question]]
id = "drizzle"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Drizzle"
text = "In a drizzle too?"
ask_when = { question = "rain", is = true }
neutral = false

[[question]]
id = "fog"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Fog"
text = "Does fog hurt?"
core = true

[[question]]
id = "frost"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Frost"
text = "Does frost hurt?"

[[question]]
id = "winds"
topic = "sky"
who = "patient"
kind = "multi"
label = "Winds"
text = "Which winds?"
options = [
  { id = "north", label = "the north wind" },
  { id = "south", label = "the south wind" },
  { id = "west", label = "the west wind" },
]

[question.groups]
mild = ["south", "west"]

[[question]]
id = "gusts"
topic = "sky"
who = "patient"
kind = "multi"
label = "Gusts"
text = "Which gusts?"
options = [{ id = "short", label = "short ones" }, { id = "long", label = "long ones" }]
ask_when = { derived = "is_windy", is = true }
neutral = []

[[question]]
id = "first_scale"
topic = "sky"
who = "patient"
kind = "integer"
minimum = 0
maximum = 10
label = "First scale"
text = "First scale?"

[[question]]
id = "second_scale"
topic = "sky"
who = "patient"
kind = "integer"
minimum = 0
maximum = 10
label = "Second scale"
text = "Second scale?"

[[question]]
id = "shelter"
topic = "sky"
who = "clinician"
kind = "choice"
label = "Shelter"
text = "Which shelter?"
options = [
  { id = "roof", label = "a roof" },
  { id = "cave", label = "a cave" },
  { id = "none", label = "none" },
]

[[question]]
id = "shelter_depth"
topic = "sky"
who = "clinician"
kind = "integer"
minimum = 0
maximum = 9
label = "Depth"
text = "How deep?"
shown = true
ask_when = { question = "shelter", is = "cave" }

[[question]]
id = "looked_at"
topic = "sky"
who = "clinician"
kind = "multi"
label = "Looked at"
text = "What was looked at?"
optional = true
options = [{ id = "roof_leak", label = "the roof" }]

[[question]]
id = "secret"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Secret"
text = "A secret?"
optional = true

[[derived]]
id = "onset_age"
label = "Age at onset"
whole_years = { years = "age", less_months = "months" }
shown = true

[[derived]]
id = "is_windy"
label = "Windy"
when = { question = "winds", counts_at_least = 1 }

[[derived]]
id = "rains_hard"
label = "Hard rain"
when = { all = [{ question = "rain", is = true }, { not = { question = "drizzle", is = true } }] }

[[derived]]
id = "is_open_case"
label = "Open case"
when = { all = [
  { result = "status", is = "scored" },
  { result = "band", one_of = ["some", "strong"] },
  { not = { question = "frost", answered = true } },
] }

[[domain]]
id = "sky"
label = "Sky"
floor = -4
ceiling = 6

[[domain]]
id = "mood"
label = "Mood"
floor = 0
ceiling = 2

[[domain]]
id = "house"
label = "House"
floor = -8
ceiling = 3

[[gate]]
domain = "mood"
needs = ["sky"]
at_least = 2
because = "Mood counts with the sky alone."

[[criterion]]
id = "W1"
domain = "sky"
label = "Rain"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "hard"
when = { all = [{ question = "rain", is = true }, { question = "drizzle", is = false }] }
points = -5
finding = "Rain: {rain}, drizzle: {drizzle}"

[[criterion.level]]
id = "any"
when = { question = "rain", is = true }
points = -2
finding = "Rain and drizzle: {drizzle}"

[[criterion.level]]
id = "none"
when = { question = "rain", is = false }
points = 0
finding = "No rain, drizzle: {drizzle}"

[[criterion]]
id = "W2"
domain = "sky"
label = "Fog"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "true"
when = { question = "fog", is = true }
points = 4
finding = "Fog"

[[criterion.level]]
id = "false"
when = { question = "fog", is = false }
points = -1
finding = "No fog"

[[criterion.discount]]
when = { question = "winds", includes = ["mild"] }
factor = 0.5
because = "it may be {which}"

[[criterion.discount]]
when = { question = "gusts", includes = ["long"] }
factor = 0.25
because = "of {which}"

[[criterion]]
id = "W3"
domain = "sky"
label = "Frost"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "true"
when = { question = "frost", is = true }
points = 3
finding = "Frost"

[[criterion.level]]
id = "false"
when = { question = "frost", is = false }
points = 1
finding = "No frost"

[[criterion]]
id = "M1"
domain = "mood"
label = "Scales"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "high"
points = 1
finding = "A high scale"

[criterion.level.when]
either = [{ question = "first_scale", at_least = 5 }, { question = "second_scale", at_least = 5 }]

[[criterion.level]]
id = "low"
points = 0
finding = "Low scales"

[criterion.level.when.not]
either = [{ question = "first_scale", at_least = 5 }, { question = "second_scale", at_least = 5 }]

[[criterion]]
id = "H1"
domain = "house"
label = "Shelter"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "roof"
when = { question = "shelter", is = "roof" }
points = -3
finding = "A roof"

[[criterion.level]]
id = "cave"
when = { question = "shelter", is = "cave" }
points = -8
finding = "A cave, {shelter_depth} deep"

[[criterion.level]]
id = "none"
when = { question = "shelter", is = "none" }
points = 3
finding = "No shelter, {shelter_depth} deep"

[[total]]
id = "sum"
label = "Sum"
note = "All."
domains = ["sky", "mood", "house"]
banded = true

[[band]]
id = "away"
label = "Away"
meaning = "Points away."

[[band]]
id = "little"
label = "Little"
meaning = "Little."
above = -4

[[band]]
id = "some"
label = "Some"
meaning = "Some."
from = 2

[[band]]
id = "strong"
label = "Strong"
meaning = "Strong."
from = 6

[band.needs]
when = { question = "shelter", one_of = ["roof", "none"] }
domains_above_zero = ["sky"]
otherwise = "some"
because = "a shelter was not looked for"

[[tier]]
id = "T0"
label = "Now"
withholds = true

[[tier]]
id = "T1"
label = "Today"
withholds = true

[[tier]]
id = "T2"
label = "Soon"

[[tier]]
id = "T3"
label = "Later"

[[flag]]
id = "hail"
tier = "T2"
label = "Hail"
when = { question = "storms", includes = ["hail"] }
unless = { all = [{ question = "frost", answered = true }, { question = "frost", is = false }] }
suspect = "ice"
action = "Look up."
citations = ["someone_2020"]

[[flag]]
id = "thunder"
tier = "T1"
label = "Thunder"
when = { question = "storms", includes = ["thunder"] }
suspect = "lightning"
action = "Go inside."
citations = ["someone_2020"]
assessed_by = ["roof_leak"]

[[flag]]
id = "gale"
tier = "T0"
label = "Gale"
when = { question = "storms", includes = ["gale"] }
suspect = "wind"
action = "Hold on."
citations = ["someone_2020"]

[[flag]]
id = "dread"
tier = "T1"
label = "Dread"
when = { question = "storms", includes = ["dread"] }
suspect = "fear"
action = "Talk."
citations = ["someone_2020"]
about_person = true

[[flag]]
id = "cold"
tier = "T3"
label = "Cold"
when = { question = "frost", is = true }
suspect = "cold"
action = "Dress."
citations = ["someone_2020"]

[[scope]]
id = "young"
label = "Too young"
when = { question = "age", at_most = 17 }

[[scope]]
id = "indoors"
label = "Indoors"
when = { question = "indoors", is = true }

[[grading]]
id = "beaufort"
label = "Beaufort"
note = "Made up."
citations = ["someone_2020"]

[[grading.grade]]
id = "windy"
label = "Windy"
when = { derived = "is_windy", is = true }

[[grading.grade]]
id = "calm"
label = "Calm"

[[acceptable_range]]
most_bands_apart = 0

[[acceptable_range]]
most_bands_apart = 1
ends = ["away", "little"]

[[acceptable_range]]
most_bands_apart = 2
when = { question = "shelter", one_of = ["roof", "none"] }
answered = ["fog", "shelter_depth"]

[[no_band_reason]]
id = "storms_unanswered"
text = "Storms were not asked."
unanswered = ["storms"]

[[no_band_reason]]
id = "age_unanswered"
text = "The age is unknown."
unanswered = ["age"]

[[no_band_reason]]
id = "range_too_wide"
text = "The range is too wide."
range_too_wide = true

[[alternative]]
id = "leak"
label = "A leak"
settle = "Look at the roof."
citations = ["someone_2020"]

[[alternative.sign]]
strength = 2
when = { derived = "rains_hard", is = true }
words = "hard rain"

[[alternative.sign]]
strength = 1
when = { question = "shelter", is = "roof" }
words = "a roof"

[[alternative]]
id = "draught"
label = "A draught"
settle = "Look at the windows."
citations = ["someone_2020"]
unless = { question = "frost", is = true }

[[alternative.sign]]
strength = 4
when = { question = "winds", includes = ["north"] }
words = "the north wind"

[[contradiction]]
id = "calm_gusts"
when = { all = [
  { not = { derived = "is_windy", is = true } },
  { question = "gusts", counts_at_least = 1 },
] }
text = "There is no wind, yet there are gusts."

[[contradiction]]
id = "older_than_life"
when = { derived = "onset_age", at_most = -1 }
text = "It began before birth."

[[caution]]
id = "old"
when = { question = "age", at_least = 65 }
text = "Careful from 65."

[[caution]]
id = "fog_open"
when = { not = { question = "fog", answered = true } }
text = "Ask about fog."

[[next_step]]
id = "walk"
label = "A walk."
certainty = "Low."
rung = 6
when = { derived = "is_open_case", is = true }
not_when = { derived = "rains_hard", is = true }
cautions = ["old", "fog_open"]

[[next_step]]
id = "act"
label = "Act on the flags."
certainty = "Consensus."
rung = 1
when = { result = "tier", one_of = ["T0", "T1", "T2"] }

[[next_step]]
id = "check_again"
label = "Check again."
certainty = "None."
rung = 2
when = { any = [
  { result = "contradictions", at_least = 1 },
  { result = "alternatives", at_least = 2 },
  { not = { result = "all_asked", is = true } },
  { result = "sum", at_least = 8 },
  { result = "beaufort", is = "windy" },
] }

[[next_step]]
id = "again"
label = "Come again."
certainty = "None."
rung = 7
when = { always = true }

[[sheet]]
kind = "emergency"
when = { result = "body_tier", one_of = ["T0", "T1"] }

[[sheet]]
kind = "plain"
when = { result = "status", is = "out_of_scope" }

[[sheet]]
kind = "plain"
when = { not = { result = "status", is = "scored" } }

[[sheet]]
kind = "evidence"
when = { always = true }

[[limitation]]
text = "Made up."

[[limitation]]
text = "Not attested."
where_not_attested = true

[[limitation]]
text = "What was looked at was not counted."
when = { question = "looked_at", counts_at_least = 1 }
where_not_attested = true

[[limitation]]
text = "Fog was not asked about."
when = { all = [
  { not = { question = "fog", answered = true } },
  { not = { result = "status", is = "withheld_red_flag" } },
] }
"""


def read_second_table(text: str = SMALL_SECOND) -> dict:
    """Return the rulebook as TOML tables, for a test to change."""
    return tomllib.loads(text, parse_float=Decimal)


@cache
def load_small_second() -> LoadedRulebook:
    """Return the rulebook, compiled."""
    return LoadedRulebook(Rulebook.model_validate(read_second_table()), "0" * 64)
