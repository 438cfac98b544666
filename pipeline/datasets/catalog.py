"""The data sets that have a name: where they come from and how they are recognised."""

from __future__ import annotations

from dataclasses import dataclass

_TFDS = "recorded by tensorflow/datasets (url_checksums/{}.txt)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file of a data set.

    Attributes
    ----------
    url : str
    size : int
        Bytes.
    sha256 : str or None
        In hexadecimal. None where nobody recorded one: then the hash seen first is kept next to
        the data and compared the next time.
    """

    url: str
    size: int
    sha256: str | None

    @property
    def name(self) -> str:
        """The file's name, the last part of its address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set that can be asked for by name.

    Attributes
    ----------
    name : str
    about : str
        One line for the listing.
    kind : str
        `embedded` needs no file, `images` is an archive of image files, `cifar` and `idx` are
        arrays that become image files.
    n_images : int
    class_names : tuple of str
        In the order of the numbers in the files; the names of the class folders.
    files : tuple of RemoteFile
    hash_source : str
        Where sizes and hashes were found.
    by_hand : tuple of str
        Other archives of the same images that are taken when they lie in the data folder.
    """

    name: str
    about: str
    kind: str
    n_images: int
    class_names: tuple[str, ...]
    files: tuple[RemoteFile, ...] = ()
    hash_source: str = ""
    by_hand: tuple[str, ...] = ()

    @property
    def download_bytes(self) -> int:
        """How much there is to download, in bytes."""
        return sum(file.size for file in self.files)


def find_spec(name: str) -> DatasetSpec | None:
    """Return the data set of that name, or None."""
    return _BY_NAME.get(name)


_DIGITS = tuple("0123456789")

DIGITS = DatasetSpec(
    name="digits",
    about="handwritten digits, scanned at 8 × 8; comes with scikit-learn",
    kind="embedded",
    n_images=1797,
    class_names=_DIGITS,
)

DOGS_VS_CATS = DatasetSpec(
    name="dogs-vs-cats",
    about="photographs of cats and dogs, of any size; a few are broken",
    kind="images",
    n_images=25_000,
    class_names=("Cat", "Dog"),
    files=(
        RemoteFile(
            url="https://download.microsoft.com/download/3/E/1/"
            "3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
            size=824_887_076,
            sha256="b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
        ),
    ),
    # Microsoft publishes no hash, and replaced this archive once before (it was ..._3367a.zip).
    hash_source="recorded by other projects (gomlx among them), not by Microsoft: trust on first "
    "use",
    by_hand=("dogs-vs-cats.zip", "train.zip"),
)

CIFAR10 = DatasetSpec(
    name="cifar10",
    about="ten kinds of things, 32 × 32; 50,000 train, 10,000 test",
    kind="cifar",
    n_images=60_000,
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    files=(
        RemoteFile(  # the binary version: the Python one is a pickle, which can run code
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            size=170_052_171,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    hash_source=_TFDS.format("cifar10"),
)

CIFAR100 = DatasetSpec(
    name="cifar100",
    about="a hundred kinds of things, 32 × 32; 50,000 train, 10,000 test",
    kind="cifar",
    n_images=60_000,
    class_names=tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
        crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
        kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
        mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
        plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
        shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
        tank telephone television tiger tractor train trout tulip turtle wardrobe whale
        willow_tree wolf woman worm
        """.split()  # noqa: SIM905 - a hundred quoted strings would say no more
    ),
    files=(
        RemoteFile(
            url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            size=168_513_733,
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
    hash_source=_TFDS.format("cifar100"),
)

_CVDF = "https://storage.googleapis.com/cvdf-datasets/mnist/"

MNIST = DatasetSpec(
    name="mnist",
    about="handwritten digits, 28 × 28 grey; 60,000 train, 10,000 test",
    kind="idx",
    n_images=70_000,
    class_names=_DIGITS,
    files=(
        RemoteFile(
            url=_CVDF + "train-images-idx3-ubyte.gz",
            size=9_912_422,
            sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            url=_CVDF + "train-labels-idx1-ubyte.gz",
            size=28_881,
            sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            url=_CVDF + "t10k-images-idx3-ubyte.gz",
            size=1_648_877,
            sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            url=_CVDF + "t10k-labels-idx1-ubyte.gz",
            size=4_542,
            sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    hash_source=_TFDS.format("mnist"),
)

# Zalando serve it without TLS; the hashes say whether what arrives is what they published.
_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

FASHION_MNIST = DatasetSpec(
    name="fashion-mnist",
    about="articles of clothing, 28 × 28 grey; 60,000 train, 10,000 test",
    kind="idx",
    n_images=70_000,
    class_names=(
        *("T-shirt-top", "Trouser", "Pullover", "Dress", "Coat"),  # a folder name has no slash
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle-boot"),
    ),
    files=(
        RemoteFile(
            url=_ZALANDO + "train-images-idx3-ubyte.gz",
            size=26_421_880,
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            url=_ZALANDO + "train-labels-idx1-ubyte.gz",
            size=29_515,
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            url=_ZALANDO + "t10k-images-idx3-ubyte.gz",
            size=4_422_102,
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            url=_ZALANDO + "t10k-labels-idx1-ubyte.gz",
            size=5_148,
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    hash_source=_TFDS.format("fashion_mnist"),
)

TF_FLOWERS = DatasetSpec(
    name="tf-flowers",
    about="photographs of five kinds of flowers, of any size",
    kind="images",
    n_images=3_670,
    class_names=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
    files=(
        RemoteFile(
            url="https://storage.googleapis.com/download.tensorflow.org/example_images/"
            "flower_photos.tgz",
            size=228_813_984,
            sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        ),
    ),
    hash_source=_TFDS.format("tf_flowers"),
)

DATASETS = (DIGITS, DOGS_VS_CATS, CIFAR10, CIFAR100, MNIST, FASHION_MNIST, TF_FLOWERS)
KNOWN_NAMES = tuple(spec.name for spec in DATASETS)
_BY_NAME = {spec.name: spec for spec in DATASETS}
