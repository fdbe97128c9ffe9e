"""Topics, and the words from which titles and names of creators are made."""

from __future__ import annotations

# Topic: things a title may be about. The order of lines is the topic slot; there are N_TOPICS.
_THINGS = """
news: the Budget, Local Elections, the Harbour Strike, Ferry Delays, the Housing Vote, Night Trains, the Water Bill, Border Towns, the Census, Bus Fares, the Library Row, School Meals, the Bridge Report, Rent Rules, the Night Shift, Town Hall
football: the Derby, the Back Three, Penalty Kicks, the Under-21s, Extra Time, the Long Throw, Away Days, the Transfer Window, Set Pieces, the Sweeper, a Cup Upset, the Number Ten, Non-League Sunday, Goal Kicks, the High Press, Stoppage Time
cooking: Lentil Soup, Sourdough, Charred Leeks, Dumplings, Rice Pudding, Flatbread, Pickled Plums, One-Pan Pasta, Bean Stew, Roast Squash, Miso Aubergine, Apple Cake, Cold Noodles, Fish Pie, Chickpea Curry, Brown Butter
travel: Night Ferries, the Coast Road, Slow Trains, Lisbon on Foot, Island Buses, Mountain Huts, Border Cafes, the Old Port, a Week in Tartu, Desert Stops, Quiet Beaches, the Sleeper Train, Market Days, Hill Villages, the Ring Road, Off-Season Venice
music: the Second Album, Basement Tapes, Modular Synths, Street Brass, Slow Jazz, the Bass Line, Choir Practice, Vinyl Crates, the Encore, Drum Loops, Lost Demos, a Cello Suite, Festival Mud, B-Sides, Open Tunings, the Last Chorus
comedy: Bad Flatmates, the Office Party, Airport Queues, Wedding Speeches, Dog Owners, Group Chats, the Dentist, Parking Fines, Small Talk, Family Dinner, a Broken Lift, First Dates, the School Run, Autocorrect, Lost Luggage, Neighbours
romance: Letters from May, a Second Chance, the Last Waltz, Summer in Brest, Two Tickets, the Wrong Train, Paper Hearts, the Lighthouse Keeper, Old Flames, Rain in October, a Borrowed Coat, Slow Sundays, the Bakery Girl, Sea Glass, Missed Calls, Half a Map
action: the Night Heist, Rooftop Chase, Cold Convoy, the Last Outpost, Burning Bridge, Double Agent, Red Harbour, the Courier, Avalanche Run, Iron Dock, the Decoy, Zero Hour, Broken Convoy, the Getaway, Blackout City, Hard Landing
science fiction: the Orbit Ferry, Second Moon, Glass Colony, the Last Signal, Slow Light, Android Orchard, the Ninth Ring, Ghost Station, Terraform, the Long Sleep, Star Charts, Dust Engine, Zero Garden, the Ark Log, Red Tide, Echo Drive
children: the Brave Snail, Counting Clouds, a Bear in Boots, the Sleepy Tram, Paper Boats, the Moon Kite, Robot Lunch, Owl School, the Lost Mitten, Dragon Bath, Jelly Island, a Very Long Scarf, the Singing Kettle, Puddle Day, Hedgehog Post, the Blue Balloon
gaming: Speedruns, Boss Rush, Co-op Night, Map Secrets, the Ice Level, Pixel Farms, Stealth Mode, Patch Notes, Retro Carts, Loot Tables, Ranked Grind, Puzzle Rooms, Save Files, Rogue Decks, Kart Physics, Hidden Endings
technology: Home Servers, E-Ink, Cheap Sensors, Old Laptops, Batteries, Mesh Radios, Keyboards, Solar Roofs, Open Chips, Backups, 3D Printers, Smart Locks, Home Routers, Repair Kits, Tiny Cameras, Heat Pumps
science: Tidal Pools, Black Holes, Bird Migration, Gut Bacteria, Ice Cores, Moss, Prime Numbers, Volcanoes, Sleep, Bees, Dark Matter, Fossil Teeth, Fungi, Comets, River Deltas, Memory
health: Back Pain, Better Sleep, Blood Pressure, Vaccines, Panic Attacks, Breastfeeding, Migraines, Screening Letters, Diabetes, Menopause, Allergy Season, Quitting Smoking, Knee Rehab, Grief, Asthma, Skin Checks
fitness: Kettlebells, Couch to 5K, Pull-Ups, Hip Mobility, Lane Swimming, Trail Shoes, Rowing, Yoga at Six, Bike Commutes, Deadlifts, Rest Days, Core Work, Hill Sprints, Balance Drills, Climbing Walls, Stretching
fashion: Raincoats, Thrift Finds, Denim Repair, Linen, Work Boots, Evening Wear, Knitwear, Capsule Closets, Tailoring, Silver Rings, Sneakers, Scarves, Vintage Suits, Hair at Home, Sun Hats, Colour Theory
gardening: Tomatoes, Compost, Balcony Herbs, Rose Pruning, Slugs, Raised Beds, Ferns, Winter Kale, Bulbs, Rain Barrels, Wild Meadows, Seed Swaps, Fig Trees, Moss Lawns, Greenhouses, Hedges
history: the Salt Road, Lost Harbours, Roman Glass, the Plague Year, Silk Traders, Canal Builders, the Telegraph, Castle Kitchens, Women Pilots, the Great Fire, Mapmakers, River Pirates, the Gold Train, Bronze Age Boats, the First Census, Postmen
faith: Ramadan Nights, Evensong, the Sabbath Table, Pilgrim Paths, Temple Bells, Gospel Choirs, Monastery Gardens, Interfaith Suppers, Lent, Diwali Lights, the Confession, Prayer Rooms, Holy Wells, Vesak, Village Chapels, Psalms
relationships: Talking about Consent, First Love, Sex Education, Coming Out, Moving In, Body Image, Contraception, Breakups, Long Distance, Couples Therapy, Queer Parents, Dating at Forty, Puberty Questions, Boundaries, Step-Families, Trust
finance: Index Funds, First Mortgages, Pension Gaps, Tax Returns, Rent or Buy, Emergency Funds, Inflation, Side Jobs, Student Loans, Budgeting, Insurance, Bonds, Credit Scores, Stock Splits, Freelance Rates, Savings
animals: Rescue Greyhounds, Barn Owls, Otters, Old Cats, Street Dogs, Urban Foxes, Goats, Parrots, Hedgehogs, Puppy School, Sea Lions, Bats, Donkeys, Tortoises, Beavers, Crows
crafts: Pottery, Lino Prints, Wooden Spoons, Quilts, Bookbinding, Kites, Basketry, Enamel Pins, Crochet, Model Trains, Candle Wax, Leather Belts, Origami, Stained Glass, Natural Dyes, Calligraphy
cars: Electric Vans, Rally Stages, Rust Repair, City Cars, Vintage Wagons, Tyres, Manual Gearboxes, Camper Builds, Track Days, Kei Trucks, Battery Swaps, Winter Driving, Barn Finds, Hybrids, Mopeds, Brake Jobs
"""
_GIVEN = """
Ada Amara Anouk Arlo Bela Bruno Carmen Cato Dalia Dario Edda Elif Emre Esme Faye Felix Gita Hana
Hugo Ines Iris Ivo Jana Joao Jonas Kaya Kenji Lars Leila Lina Luca Maja Marek Mira Nadia Nils
Noor Olga Omar Pia Rafa Rosa Sami Selin Tariq Tess Tomas Uma Vera Wanda Yara Yusuf Zeno Zofia
"""
_FAMILY = """
Abara Alder Almeida Aydin Bakker Berg Castro Cole Costa Demir Duarte Eriksen Farrow Ferreira
Gallo Haas Hart Holm Ibanez Jansen Kaya Keller Kowalski Lang Lindqvist Lopes Marsh Meyer Moreau
Nowak Okafor Ortiz Park Pereira Quinn Reyes Rossi Sato Silva Stone Tanaka Torres Vance Vogel
Weber Winter Yilmaz Zhou
"""


def _topics() -> dict[str, tuple[str, ...]]:
    lines = (line.split(": ", 1) for line in _THINGS.strip().splitlines())
    return {topic: tuple(things.split(", ")) for topic, things in lines}


TOPICS = _topics()
GIVEN, FAMILY = tuple(_GIVEN.split()), tuple(_FAMILY.split())

# {thing} stands for one of a topic's words. The second list goes with items high in clickbait.
TITLES = (
    "{thing}", "{thing}, Explained", "A Beginner's Guide to {thing}", "Notes on {thing}",
    "{thing}: the Long Version", "The Story of {thing}", "{thing} in Ten Minutes", "Back to {thing}",
    "Everything about {thing}", "{thing}, Part {n}", "A Year of {thing}", "Inside {thing}",
    "{thing} after Dark", "What We Know about {thing}", "{thing}: Your Questions", "Learning {thing}",
    "The Quiet Side of {thing}", "{thing} and {other}", "From {other} to {thing}", "{thing} without {other}",
    "Three Views of {thing}", "{thing}, Episode {n}", "Living with {thing}", "On {thing}",
)  # fmt: skip
BAIT_TITLES = (
    "{thing}: You Won't Believe Number {n}", "Why Nobody Tells You about {thing}", "{thing} Gone Wrong!",
    "The {thing} Secret They Hide", "I Tried {thing} for {n} Days", "Stop Doing {thing} NOW",
    "{n} Shocking Facts about {thing}", "This Changes {thing} Forever", "{thing} vs {other}: the TRUTH",
    "Only 1% Get {thing} Right",
)  # fmt: skip
BRANDS = ("{family} Studio", "The {topic} Desk", "{given} & {given2}", "{topic} with {given}", "{given} {family}",
          "{given} {family}", "{family} on {topic}", "Radio {family}", "House of {family}", "{given}'s {topic}")  # fmt: skip
