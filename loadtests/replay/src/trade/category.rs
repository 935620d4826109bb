//! Which category a product's name puts it in.

const DEFAULT: &str = "Gifts";

/// The first category that has a word of the name; their order settles names that fit several.
pub(super) fn of(name: &str) -> &'static str {
    let name = name.to_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
    CATEGORIES
        .iter()
        .find(|(_, keywords)| keywords.split(' ').any(|keyword| words.contains(&keyword)))
        .map_or(DEFAULT, |(category, _)| category)
}

const CATEGORIES: [(&str, &str); 11] = [
    (
        "Seasonal",
        "ADVENT CHRISTMAS EASTER HALLOWEEN NOEL REINDEER SANTA SNOWFLAKE SNOWFLAKES SNOWMAN SNOWMEN \
         VALENTINE VALENTINES XMAS",
    ),
    (
        "Jewellery",
        "BANGLE BRACELET BRACELETS BROOCH CHARM EARRING EARRINGS HAIR HAIRBAND HAIRCLIP HAIRCLIPS NECKL \
         NECKLAC NECKLACE NECKLACES PENDANT RING RINGS",
    ),
    (
        "Bags",
        "BACKPACK BAG BAGS HANDBAG LUGGAGE PASSPORT PURSE RUCKSACK SHOPPER SUITCASE SUITCASES UMBRELLA \
         WALLET WASHBAG",
    ),
    (
        "Candles and lights",
        "CANDELABRA CANDLE CANDLEHOLDER CANDLES CANDLESTICK CHANDELIER INCENSE LAMP LAMPSHADE LANTERN \
         LANTERNS LED LIGHTS T-LIGHT T-LIGHTS VOTIVE VOTIVES",
    ),
    (
        "Party and wrap",
        "BALLOON BALLOONS BIRTHDAY BUNTING CARD CARDS GARLAND PARTY RIBBON RIBBONS WRAP WRAPPING",
    ),
    (
        "Kitchen and table",
        "APRON BAKING BEAKER BISCUIT BOTTLE BOWL BOWLS BREAD BREAKFAST CAKE CAKES CAKESTAND COASTER \
         COASTERS COFFEE COOKING CUP CUPS CUTLERY DINNER DISH EGG FOOD GLASSES JAM JAR JARS JUG KITCHEN \
         LUNCH MEASURING MILK MUG MUGS NAPKIN NAPKINS OVEN PAN PANTRY PICNIC PLACEMATS PLATE PLATES \
         RECIPE SAUCER SPICE SUGAR TEA TEACUP TEAPOT TOAST TOWEL TOWELS TRAY TUMBLER",
    ),
    (
        "Stationery and craft",
        "BOOK CALENDAR CRAFT CROCHET ENVELOPE FELTCRAFT JOURNAL KNITTING MAGNETS NOTEBOOK NOTEBOOKS \
         ORIGAMI PAPER PEN PENCIL PENCILS PENS RULER SEWING SKETCHBOOK STAMP STAMPS STICKER STICKERS \
         TAPE TISSUE TISSUES",
    ),
    (
        "Toys and games",
        "BALL CHESS CHILDRENS CHILDS DINOSAUR DOLL DOLLS DOLLY DOMINOES GAME GAMES JIGSAW MAGIC PLAYING \
         PUPPET PUZZLE PUZZLES SKIPPING SKITTLES SNAKES SOLDIER SPINNING TEDDY TOY TOYS YO-YO",
    ),
    (
        "Garden",
        "BIRD BIRDHOUSE GARDEN GARDENING HAMMOCK HERB PARASOL PLANT PLANTER POTS SEEDS TROWEL WATERING",
    ),
    (
        "Storage and furniture",
        "BASKET BASKETS BIN BOX BOXES CABINET CHAIR CHEST CONTAINER DRAWER DRAWERS HANGER HOOK HOOKS \
         KNOB LADDER ORGANISER RACK SHELF SHELVES STAND STOOL STORAGE TABLE TIDY TIN TINS",
    ),
    (
        "Home decoration",
        "ART ARTIFICIAL BELL BUTTERFLY CLOCK COVER CURTAIN CUSHION DECORATION DECORATIONS DOORMAT \
         DOORSTOP FLOWER FLOWERS FRAME HANGING HEART HEARTS LETTER METAL MIRROR MOBILE ORNAMENT PHOTO \
         PICTURE QUILT RUG SIGN THROW TILE VASE WALL WREATH",
    ),
];

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn given_a_name_then_the_first_list_with_one_of_its_words_decides() {
        let cases = [
            ("WHITE HANGING HEART T-LIGHT HOLDER", "Candles and lights"),
            ("CHRISTMAS TREE T-LIGHT HOLDER", "Seasonal"),
            ("JUMBO BAG RED RETROSPOT", "Bags"),
            ("FOLK ART GREETING CARD,pack/12", "Party and wrap"),
            ("GOLD FISHING GNOME", "Gifts"),
            ("EARNEST", "Gifts"),
        ];
        for (name, category) in cases {
            assert_eq!(of(name), category, "{name}");
        }
    }
}
