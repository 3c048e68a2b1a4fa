"""The letters of the course: how each is typeset, typed and called elsewhere. Formulas, tests and docs/notation.md take them from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Letter:
    r"""One letter, and the one thing it means.

    Attributes:
        name: How it is typed in a derivation; "" for one that no derivation has.
        latex: How it is typeset, without indices.
        indices: With which indices, where it has some: ``kl``.
        meaning: What it stands for.
        code: What the lessons' code calls it.
        torch: What PyTorch calls it (``torch.nn.BatchNorm1d``, ``torch.nn.Linear``).
        paper: What Ioffe and Szegedy call it, in LaTeX.
        also: Another way in which a lesson typesets it: the name that it has in the code.
    """

    name: str
    latex: str
    indices: str
    meaning: str
    code: str = ""
    torch: str = ""
    paper: str = ""
    also: str = ""


LETTERS = (
    Letter("N", "N", "", "how many examples a batch has; they are rows, axis 0", "N", "x.shape[0]", "m"),
    Letter("D", "D", "", "how many features an example has; they are columns, axis 1", "D", "num_features", "d"),
    Letter("H", "H", "", "how many outputs an affine layer has", "H", "out_features"),
    Letter("S", "S", "", "how many positions a channel has: height times width", "H * W"),
    Letter("G", "G", "", "how many groups the channels of an image make", "groups", "num_groups"),
    Letter("E", "E", "", "how many channels a group has", "C // groups"),
    Letter("", "", "", "the entry that one asks about: example i, feature j", "i, j"),
    Letter("", "", "", "an output over which one sums: example k, feature l", "k, l"),
    Letter("", "", "", "what a definition sums over", "m"),
    Letter("x", "x", "kl", "what is normalized; in front of an affine layer, its input", "x", "input", "x_i"),
    Letter("h", "h", "kl", "what a layer hands to the normalization", "h", "", "W u + b"),
    Letter("mu", r"\mu", "l", "mean of a feature over the batch", "mu", "", r"\mu_{\mathcal B}"),
    Letter(
        "var", r"\sigma^2", "l", "variance of a feature over the batch, divided by N", "var", "", r"\sigma^2_{\mathcal B}",
        also=r"\mathrm{var}",
    ),
    Letter("sigma", r"\sigma", "", "spread of a feature: the root of its variance", "x.std()"),
    Letter("eps", r"\epsilon", "", "small number under the root", "eps", "eps", r"\epsilon"),
    Letter("xc", r"\mathrm{xc}", "kl", "centred: the mean is subtracted", "xc"),
    Letter("sq", r"\mathrm{sq}", "kl", "square of what is centred", "sq"),
    Letter("std", r"\mathrm{std}", "l", "the root of variance and epsilon", "std"),
    Letter("r", "r", "l", "one over that root", "inv_std"),
    Letter("x_hat", r"\hat x", "kl", "normalized", "x_hat", "", r"\widehat x_i"),
    Letter("h_hat", r"\hat h", "kl", "what lesson 02 makes of h: centred, and not scaled", "h_hat"),
    Letter("z", "z", "kl", "divided by the root mean square, whatever its mean is", "z"),
    Letter("gamma", r"\gamma", "l", "scale, learned; 1 at the start", "gamma", "weight", r"\gamma"),
    Letter("beta", r"\beta", "l", "shift, learned; 0 at the start", "beta", "bias", r"\beta"),
    Letter("y", "y", "kl", "output of the layer", "out", "output", "y_i", also=r"\mathrm{out}"),
    Letter("L", "L", "", "the loss: one number", "", "loss", r"\ell"),
    Letter(
        "dout", r"\mathrm{dout}", "kl", "gradient of the loss by the layer's output: what arrives", "dout", "y.grad",
        r"\partial \ell / \partial y_i",
    ),
    Letter(
        "", r"\mathrm{dx}", "ij", "gradient by the input: what is sent on; and so with every d in front of a name", "dx",
        "x.grad", r"\partial \ell / \partial x_i", also=r"\partial L",
    ),
    Letter("", r"\mathrm{d}\gamma", "l", "gradient by the scale", "dgamma", "weight.grad", r"\partial \ell / \partial \gamma"),
    Letter("", r"\mathrm{d}\beta", "l", "gradient by the shift", "dbeta", "bias.grad", r"\partial \ell / \partial \beta"),
    Letter("delta", r"\delta", "ki", "1 where its two indices are equal, 0 elsewhere", "np.eye(N)[k, i]", "torch.eye"),
    Letter("J", "J", "ki", "Jacobian: outputs in rows, inputs in columns", "J", "torch.autograd.functional.jacobian"),
    Letter("eta", r"\eta", "", "a nudge, with which a derivative is measured", "step", "eps of gradcheck"),
    Letter("e", "e", "i", "1 in entry i, 0 in the others"),
    Letter("W", "W", "mj", "weights of the affine layer in front", "W", "Linear.weight, transposed", "W"),
    Letter("b", "b", "j", "bias of the affine layer in front", "b", "Linear.bias", "b"),
    Letter("a", "a", "ij", "activation: output of ReLU", "a", "relu", "z"),
    Letter("alpha", r"\alpha", "", "momentum; lesson 05 says of which average", "momentum", "momentum"),
    Letter("s", "s", "t", "a statistic of one batch, the number t", "batch"),
    Letter("s_bar", r"\bar s", "", "its running average", "running"),
    Letter("running_mean", r"\bar\mu", "l", "running mean", "running_mean", "running_mean", r"\mathrm{E}[x]"),
    Letter("running_var", r"\bar\sigma^2", "l", "running variance", "running_var", "running_var", r"\mathrm{Var}[x]"),
    Letter("unbiased", r"\tilde\sigma^2", "l", "variance of a batch, divided by N - 1", "var", "", r"\tfrac{m}{m-1} \sigma^2_{\mathcal B}"),
    Letter("along", r"\mathrm{along}", "i", "component of dout along x_hat", "along"),
    Letter("kept", r"\mathrm{kept}", "i", "what is at right angles to 1 and to x_hat in dout", "kept"),
    Letter("mu_star", r"\mu^*", "l", "true mean, of which a batch gives an estimate", "true_mean"),
    Letter("A", "A", "", "how many examples shard a has; B is that of shard b", "count_a"),
    Letter("", r"v^{\mathrm{a}}", "", "variance of shard a; so with every letter that has an a or b above it", "var_a"),
    Letter("", r"\mathrm{m2}", "l", "sum of the squared distances from the mean", "m2"),
    Letter("", r"\mathrm{row}", "l", "one example more", "row"),
    Letter("true_var", r"{\sigma^*}^2", "l", "true variance", "true_var"),
    Letter("C", "C", "", "how many classes there are", "C"),
    Letter("q", "q", "kl", "score: how much the network is for class l in example k", "scores", "input of CrossEntropyLoss"),
    Letter("p", "p", "kl", "probability that the softmax makes of it", "p", "softmax"),
    Letter("p_star", "p^*", "kl", "what the probability should be: 1 at the label", "labels"),
    Letter("theta", r"\theta", "i", "all parameters of a network", "theta", "parameters()", r"\Theta"),
    Letter("rate", r"\rho", "", "learning rate", "rate", "lr"),
    Letter("numerical", "n", "i", "gradient by a parameter, measured", "numerical"),
    Letter("y_star", "y^*", "kl", "what the output should be", "targets"),
)  # fmt: skip

TYPESET = {letter.name: letter.latex for letter in LETTERS if letter.name}
