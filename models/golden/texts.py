"""Strings of every kind for the tokenizer: languages, emoji, marks, spaces, code, look-alikes."""

import random
import unicodedata

CHINESE = "中国的首都是北京。简体字与標點符號，「引号」《书名》。"

LANGUAGES = [
    "What is the capital of the United States? It's Washington, D.C.",
    "Wie heißt die Hauptstadt von Österreich? Natürlich Wien, größer als Graz.",
    "L'été, j'étais à Orléans ; où êtes-vous allés, Noël passé ? Ça va.",
    "¿Cuál es la capital de España? ¡Mañana viajaré a Logroño!",
    "Perché la città è così bella? È già l'ora del caffè.",
    "São João, avô e avó: não há coração sem emoção.",
    "Zażółć gęślą jaźń. Łódź leży w Polsce.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Kŕdeľ šťastných ďatľov učí pri ústí Váhu mĺkveho koňa.",
    "Árvíztűrő tükörfúrógép a Balatonnál.",
    "Țara și orașul București, în română cu virgulă și cu ş ţ sedilă.",
    "Şişli'de ılık bir İstanbul akşamı; ığdır çöğür.",
    "Västra Götaland är större än Åland, sade Örjan.",
    "På Ærø bor der søde høns i blåt hø.",
    "Þórður át ísbjörninn á Íslandi, ð og æ.",
    "Hyvää päivää, yötyöläinen äänestää Åbossa.",
    "Õhtuöö ja jäääär on eesti sõnad.",
    "Ģirts ēd ķiršus Cēsīs, žļoga.",
    "Įlinkdama fechtuotojo špaga sublykčiojusi pragręžė apvalų arbūzą.",
    "Γεια σου Κόσμε! Ποια είναι η πρωτεύουσα της Ελλάδας; ΐ ΰ ᾳ ἄνθρωπος.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ёлка, йод.",
    "Їжак і ґанок: Київ — столиця України, п'ять об'єктів.",
    "Љубазни фењерџија чађавог лица хоће да ми покаже штос.",
    "Ќерка ѓубре: македонски јазик.",
    "Қазақ тілі: әлем, ғылым, ұлттық, һәм өмір.",
    "Монгол хэл: өнөөдөр үүлтэй. ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ",
    "Հայաստանի մայրաքաղաքը Երևանն է։ և եւ",
    "საქართველოს დედაქალაქი თბილისია. ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ",
    "מהי בירת ישראל? שָׁלוֹם עֲלֵיכֶם, ירושלים.",
    "ما هي عاصمة مصر؟ القاهرة، اللُّغَةُ العَرَبِيَّةُ؛ ﷺ لا إله ٣٫١٤",
    "پایتخت ایران کجاست؟ می‌خواهم به تهران بروم. گچ پژ",
    "پاکستان کا دارالحکومت اسلام آباد ہے۔",
    "پښتو ژبه: ځوان، څنګه، ښه ږغ.",
    "भारत की राजधानी क्या है? नई दिल्ली। क़ ख़ ज़ ड़ क्षत्रिय ज्ञान",
    "মহারাষ্ট্র मराठी: मुंबई ही राजधानी आहे, ऱ्या ळ.",
    "বাংলাদেশের রাজধানী ঢাকা। ড় ঢ় য় কো ক্ষ",
    "ਪੰਜਾਬੀ: ਚੰਡੀਗੜ੍ਹ ਰਾਜਧਾਨੀ ਹੈ। ਸ਼ ਖ਼",
    "ગુજરાતની રાજધાની ગાંધીનગર છે.",
    "ଓଡ଼ିଶାର ରାଜଧାନୀ ଭୁବନେଶ୍ୱର। ଢ଼",
    "தமிழ்நாட்டின் தலைநகரம் சென்னை. கொ கோ கௌ ஸ்ரீ",
    "తెలంగాణ రాజధాని హైదరాబాద్. కై ౦౧౨",
    "ಕರ್ನಾಟಕದ ರಾಜಧಾನಿ ಬೆಂಗಳೂರು. ಕೋ ೧೨೩",
    "കേരളത്തിന്റെ തലസ്ഥാനം തിരുവനന്തപുരം. ൺ ൻ ർ ൽ ൾ കോ",
    "ශ්‍රී ලංකාවේ අගනුවර කොළඹ. ක්‍ෂ",
    "เมืองหลวงของประเทศไทยคือกรุงเทพมหานคร น้ำ เก๋ ๑๒๓",
    "ນະຄອນຫຼວງວຽງຈັນ ແມ່ນນະຄອນຫຼວງ ຄຳ",
    "ရန်ကုန်မြို့ မြန်မာနိုင်ငံ၊ ဦးချစ်။",
    "ភ្នំពេញជារាជធានីនៃកម្ពុជា។ ក្រ ស៊ី",
    "བོད་ཀྱི་རྒྱལ་ས་ལྷ་ས་ཡིན། གྷ ཱི",
    CHINESE,
    "臺灣的首都是哪裡？繁體中文，龜鬱麤；香港嘅粵語：咩嘢㗎。",
    "日本の首都は東京です。ひらがな、カタカナ、ｶﾀｶﾅ、がぎぐ、パピプ、々〆〇、ヴァ。",
    "대한민국의 수도는 서울입니다. 한글 ㄱㄴㄷ ㅏㅑㅓ 꿻뷁",
    "Thủ đô của Việt Nam là Hà Nội. Nguyễn Ễ ỡ ự đường phố ở đấy.",
    "Ibu kota Indonesia adalah Jakarta; anak-anak bermain-main.",
    "Ang kabisera ng Pilipinas ay Maynila, ñoño.",
    "Mji mkuu wa Tanzania ni Dodoma, ng'ombe.",
    "Olú-ìlú Nàìjíríà ni Àbújá; ẹ̀kọ́ ọ̀rẹ́ ṣẹ́.",
    "Babban birnin Najeriya: ɓauna, ɗaki, ƙasa, ƴaƴa.",
    "የኢትዮጵያ ዋና ከተማ አዲስ አበባ ነው። ፩፪፫",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ ⵏ ⵓⵣⵍⵖⴰ; Tamaziɣt ḍ ṭ ẓ.",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ꭰꭱꭲ",
    "ᐃᓄᒃᑎᑐᑦ ᓄᓇᕗᑦ",
    "Cad é príomhchathair na hÉireann? Baile Átha Cliath, ḃ ċ ḋ.",
    "Llanfairpwllgwyngyll, tŷ, dŵr, ŵyl yng Nghymru.",
    "Ko te tāone matua o Aotearoa ko Te Whanganui-a-Tara, ʻokina ā ē.",
    "Eĥoŝanĝo ĉiuĵaŭde: Esperanto.",
    "𐌰𐍄𐍄𐌰 𐌿𐌽𐍃𐌰𐍂 Gothic, 𒀀𒁀 cuneiform, 𓀀𓂀 hieroglyphs, 𝒜𝔅𝕮 mathematical",
    "ꦧꦱꦗꦮ, ᬩᬮᬶ, ᨅᨔ ᨕᨘᨁᨗ, ᮘᮞ ᮞᮥᮔ᮪ᮓ",
    "𞤀𞤁𞤂 𞤢𞤣𞤤 Adlam, ߒߞߏ N'Ko, ࡌࡀࡍࡃࡀ Mandaic, ܣܘܪܝܝܐ Syriac, ދިވެހި",
]

EMOJI = [
    "😀", "😀😃😄", "I ❤️ this, really ❤", "👍🏻👍🏽👍🏿 thumbs", "👨‍👩‍👧‍👦 family", "👩🏾‍💻 writes code",
    "🏳️‍🌈🏴‍☠️🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪🇫🇷🇯🇵 flags🇺", "1️⃣2️⃣#️⃣*️⃣", "☺︎☺️", "🫠🫡🪿🫨", "🧑‍🤝‍🧑🏿‍", "text😀text 😀 text",
    "🤷🏽‍♀️…ok?", "©®™ ℗ ℠", "♠♥♦♣ ♩♪♫", "←↑→↓ ⇒ ⟶ ➔", "🀄🃏🎴", "⌚️⏰", "👁️‍🗨️",
]

MARKS = [
    "\u0301", "\u0301abc", " \u0308", "a\u0301\u0301\u0301\u0301", "\u0300\u0301\u0302", "e\u0323\u0302", "e\u0302\u0323",
    "\u1e69", "s\u0323\u0307", "s\u0307\u0323", "\u212b \u00c5 A\u030a", "\u2126 \u03a9", "\uac00 \u1100\u1161 \uac01 \u1100\u1161\u11a8",
    "\u1100", "\u1161\u11a8", "\ua960\ud7b0\ud7cb", "\u0958 \u0915\u093c", "\u09dc\u09dd\u09df", "\ufb01\ufb02 ﬃ ſt", "\ufb1d\ufb2a\ufb4e",
    "\u0f43 \u0f69 \u0f73\u0f75", "\uf900\ufa30 \U0002f800", "\u0344 \u0340\u0341 \u0374 \u037e \u0387", "\u1fef\u1ffd\u2000\u2001",
    "\u0340\u0345\u1d16d\U0001d15e\U0001d160", "a\u0f71\u0f72", "\U000110ab\U000110a5\U000110ba", "q\u0307\u0323 q\u0323\u0307",
    "\u3099か\u3099 は\u309a", "\u20dd\u20e3a\u20dd", "x" + "\u0300\u0316" * 30, "\u0e33\u0eb3", "\u0b95\u0bc6\u0bbe",
]

INVISIBLE = [
    "\ufeff", "\ufefftext", "zero\u200bwidth", "a\u200cb\u200dc", "\u2060\u2061\u2062", "soft\u00adhyphen", "\u200e\u200fמימין\u202a\u202c",
    "\u2066x\u2069", "\U000e0041\U000e007f", "\ue000\uf8ff", "\U000f0000\U0010fffd", "\ufffd\ufffe\uffff", "\u0000", "a\u0000b\u0001\u001f\u007f\u0080\u009f",
    "\u0378\u0379 unassigned", "\U0001fffe\U0002fa20", "\u115f\u1160\u3164\uffa0", "\u034f\u061c\u17b4\u17b5", "\u180b\u180e\u180f", "\ufe00\ufe0e\ufe0f\U000e0100",
    "\u2028\u2029", "\u1680\u205f\u3000", "\b\v\f\x1b[0m", "\u0600\u06dd\u070f\u08e2 prefixed", "\ufff9a\ufffab\ufffb",
]

# What Unicode calls White_Space, and look-alikes that it does not.
SPACES = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_SPACES = "\u180e\u200b\u2060\ufeff\u001c\u001d\u001e\u001f\u2420\u2800"

RUNS = [
    " ", "  ", "   ", " " * 17, " " * 1000, "\n", "\n\n", "\n" * 300, "\r\n", "\r\n\r\n", "\r", "\r\r\n", "a\r\nb\rc\nd", "  \n  ", " \n", "\n ", "\t\n \n\t",
    "a  b", "a   b", "a \n b", "a\n\n\nb", "a  \n\n  b", "trailing  ", "  leading", " \t x", "x \t", "a\u00a0\u00a0b", "a \u3000 b", "a\u3000\n\u3000b",
    "\u00a0\n", "word\u0085\u0085word", "!\n\n", "?!\r\n\r\n", "…\n", " !\n", "  !\n", "a!\u2028b", ".\u0085", "\t\t\tif x:\n\t\t\t\treturn", "1 \n2", "\n\n1", "- a\n- b\n\n- c",
]

CONTRACTIONS = [
    "it's IT'S It'S it'S", "don't DON'T don'T", "we're WE'RE we'Re", "I've I'VE I'vE", "I'm I'M", "we'll WE'LL we'lL", "he'd HE'D", "'s", "'S", "'ſ it'ſ 'ſt", "'ſomething",
    "'ll'll", "''s", "'\u017f\u017f", "it’s don’t we’re", "'sa 'ta 'rea 'vea 'ma 'lla 'da", " 's 't", "'re're'", "o'clock rock'n'roll", "'\u212a", "'L'L 'Ll", "l'l'", "'R\u0131", "'\u0130", "d'être",
    "x'v", "x'r", "x'l", "'\n's", "\u02bcs \uff07s `s",
]

LOOKALIKES = [
    "<|im_end|>", "<|im_start|>system\nYou say yes.<|im_end|>", "a<|im_end|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<think>\n\n</think>\n\n", "<think></think>",
    "<|im_end|", "|im_end|>", "<|im_end |>", "< |im_end|>", "<|IM_END|>", "<|im_end|>>", "<<|im_end|>>", "<|im_start|><|im_start|>user", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "<tool_call>{}</tool_call>",
    "<tool_response>x</tool_response>", "<|vision_start|><|image_pad|><|vision_end|>", "<|object_ref_start|>a<|object_ref_end|>", "<|box_start|>(1,2)<|box_end|>", "<|quad_start|><|quad_end|>", "<|repo_name|>r<|file_sep|>f",
    "<|fim_pad|><|video_pad|><|vision_pad|>", "＜|im_end|＞", "<\u200b|im_end|>", "e\u0301<|im_end|>e\u0301", "\u0301<think>\u0301", "<|im_end|>\n<|im_start|>assistant\nyes", "yes no Yes No YES NO  yes  no",
    "<Instruct>: i\n<Query>: q\n<Document>: d", "<Document>:", "<Query>:", "</s><s><unk><pad>", "[CLS] a [SEP] b [MASK]", "<0x0A>▁", "Ġhello Ċ", "ĠĠ", "<|im_end|><|im_end|>x<|im_start|>", "'s<|im_end|>'s", "  <think>  </think>  ",
]

NUMBERS = [
    "0", "1234567890", "3.14159", "-1,000,000.50", "1e-10 0x1F 0b101 1_000", "2026-11-22T02:15:05Z", "+49 (0)30 1234-5678", "192.168.0.1:8080", "१२३४५ ১২৩ ੧੨੩ ૧૨૩ ୧୨୩ ௧௨௩ ౧౨౩ ೧೨೩ ൧൨൩", "٠١٢٣ ۰۱۲۳ ߀߁߂", "๑๒๓ ໑໒໓ ༡༢༣ ၁၂၃ ១២៣ ᠑᠒᠓",
    "０１２３ 𝟎𝟏𝟐 𝟬𝟭 🄀①⑴⒈ⅠⅡⅻ", "½ ⅓ ¾ x² x³ H₂O 10⁻³", "〇一二三 萬億 〡〢〣", "𐄇𐄈 𐅀 ௰௱௲ ፲፳", "99 bottles, 100% 5€ £3 ¥500 ₹10 ₿1", "v1.2.3-beta+4", "1st 2nd 3rd 4th", "a1b2c3", "1\n2\r\n3",
]

CODE = [
    "fn main() {\n    println!(\"{}\", 1 + 1);\n}\n", "def f(x):\n\treturn x**2  # comment\n", "for (let i = 0; i < n; ++i) { a[i] = b[i]; }", "SELECT * FROM t WHERE a='x' AND b IS NOT NULL;--", "<div class=\"a\">&nbsp;<br/></div>\n<!-- c -->",
    "{\"query\": \"q\\n\", \"documents\": [null, 1.0, \"\\u00e9\"]}", "https://example.com/a/b?c=d&e=%20f#g", "user@example.com, C:\\Users\\x\\file.txt, ~/.config", "$ ls -la | grep '^d' > /dev/null 2>&1", "#include <stdio.h>\r\nint main(void) { return 0; }\r\n",
    "camelCaseName snake_case_name SCREAMING_CASE kebab-case", "std::vector<std::pair<int, char*>> v{{1, nullptr}};", "\\begin{equation} \\frac{a}{b} = \\sqrt{x^2} \\end{equation}", "λx.λy.x ∀x∈ℝ: ∃y ≤ x² ∧ ¬(a∨b) ⊢ ∅", "a&&b||!c ? d : e ?? f?.g ...h", "=>>= <<= !== === ->* ::<>", "```python\nprint('hi')\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |", "**bold** _it_ ~~no~~ [link](url) ![img](src)", "key: value\n  - item: \"x\"\n", "__init__ __name__ == '__main__'", "//////// -------- ======== ********", "((((((((((", "''''''''\"\"\"\"", "%s %d %5.2f {0} {name!r}", "\u001b[31mred\u001b[0m",
]

MIXED = [
    "", "a", "é", "e\u0301", "中", "a中b文c", "Hello世界مرحباשלום", "naïve café ÉCOLE Straße", "NAI\u0308VE", "ﬁnancial", "東京Tower2024年", "price:¥1,000円(税込)", "I'm@home—really…", "“quoted” ‘single’ «guillemets» „low“", "Ünïcödé ŷẹş", "x̄ ± σ̂/√n", "µm vs μm", "ǆ ǅ Ǆ ẞ ß", "İi Iı", "ΑΣ ας ςσ",
    "🇩🇪Deutschland über 1️⃣ café\u0301 \u200d", "ยินดี😀ต้อนรับ123", "한국어english日本語", "\u202eabc\u202c", "a" * 300, "ab" * 200, "!" * 100, "。" * 50, "😀" * 60, "é" * 128, "e\u0301" * 128, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "AAAAAaaaaaAAAAA", "the the the the", "Yes. No. yes/no yesno noyes", "\ua7cb\ua7da \U000105c0\U00010d4a letters of newer Unicode", "\U00031350\U0002ebf0 newer ideographs", "\U0001e4d0\U00011f02 newer scripts", "ⓐⓩ ㎏ ㏑ ™", "ªº ʰʲ ᵃ ⁿ", "ॐ ௐ ☯ ✡ ☪",
]

ENGLISH = (
    "Washington, D.C. is the capital of the United States. It is a federal district on the Potomac; the city's "
    "population was 689,545 in 2020.\nCapital punishment has existed since before the country did, and it isn't the same thing. "
)


def long_texts():
    """Texts of 10,000 characters, each hard on another part of a tokenizer."""
    mixed = "Zürich 東京 Москва 😀 e\u0301 नमस्ते <|im_end|> 42\r\n\u3000"
    return [(t * (10_000 // len(t) + 1))[:10_000] for t in (ENGLISH, CHINESE, mixed, "ab", " ", "\u0301")]


def random_texts(count=60, seed=20):
    """Characters drawn from many blocks, so that pieces meet that no writer would put together."""
    blocks = [(0x20, 0x7e), (0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0x97f), (0xe00, 0xe7f), (0x1100, 0x11ff), (0x1e00, 0x1fff),
              (0x2000, 0x206f), (0x20a0, 0x214f), (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfe00, 0xfe0f), (0x1d400, 0x1d7ff), (0x1f300, 0x1f9ff)]
    glue = [" ", "  ", "\n", "\r\n", "'s", "'", "\u00a0", "\u200d", "<|im_end|>", "1", "yes"]
    draw = random.Random(seed)
    def piece():
        if draw.random() < 0.25:
            return draw.choice(glue)
        low, high = draw.choice(blocks)
        return "".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 4)))
    return ["".join(piece() for _ in range(draw.randint(2, 25))) for _ in range(count)]


def strings():
    """All of them, without duplicates, in a fixed order."""
    spaces = [f"a{c}b{c}{c}c {c}d{c} e{c}\n{c}f.{c}" for c in SPACES + NOT_SPACES]
    spaces += ["".join(SPACES), f"x{SPACES}y", f".{SPACES[::-1]}1"]
    base = [*MIXED, *LANGUAGES, *EMOJI, *MARKS, *INVISIBLE, *spaces, *RUNS, *CONTRACTIONS, *LOOKALIKES, *NUMBERS, *CODE]
    base += [*random_texts(), *long_texts()]
    both = [form for text in base for form in (text, *(unicodedata.normalize(f, text) for f in ("NFC", "NFD")))]
    return list(dict.fromkeys(both))
