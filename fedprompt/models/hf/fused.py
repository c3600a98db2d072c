"""The decoder layers of Llama, Mistral and Qwen 2 with few passes over memory, for models whose weights are frozen.

One product makes queries, keys and values; activation, gate and residual sums ride on the products; the backward
passes of norm, rotation and gate are written out, so that nothing else is kept for them. In the last layer only the
rows that are asked for go on after their keys and values. The modules' own weights become views of the joined ones, and
models of up to ``PACKED`` bytes keep a packed copy besides. Results differ from the modules' by the order of summation
alone. Other models keep their own forward pass: ``fused_layers`` returns None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fedprompt.models.hf.attention import Attending
from fedprompt.models.hf.lora import Factors
from fedprompt.models.hf.picking import rows_of
from fedprompt.models.hf.product import PACKED, Weight, can_pack

__all__ = ["FusedLayers", "fused_layers"]

QKV = ("q_proj", "k_proj", "v_proj")
KNOWN = ("LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer")


@dataclass(frozen=True)
class _Layer:
    attention: Any  # the module, which names its layer
    names: Mapping[str, str]  # of its linear layers: the last part -> the whole name in the model
    scaling: float
    window: int | None
    before: Tensor  # weights of the norms, [width]
    after: Tensor
    epsilon: float
    qkv: Weight  # [(heads + 2 key heads) x head width, width]
    out: Weight
    inner: "_Inner"
    down: Weight


class FusedLayers:
    """Runs all layers and the last norm."""

    def __init__(self, inner: Any, layers: Sequence[_Layer], heads: int, kv_heads: int) -> None:
        self._inner, self._layers, self._heads, self._kv = inner, layers, heads, kv_heads

    def __call__(
        self,
        embedded: Tensor,
        positions: Tensor,
        plan: Attending,
        wanted: Tensor | None,
        factors: Factors | None = None,
    ) -> Tensor:
        """Return the last hidden states [rows, width].

        Args:
            embedded: [tokens, width].
            positions: [1, tokens] int64.
            wanted: the rows whose hidden states are asked for, int64; all of them if None.
            factors: low-rank factors beside the layers.
        """
        cos, sin = (part[0].unsqueeze(1) for part in self._inner.rotary_emb(embedded, positions))
        x = embedded
        for layer in self._layers:
            last = wanted is not None and layer is self._layers[-1]
            x = self._layer(layer, x, cos, sin, plan, wanted if last else None, factors)
        final = self._inner.norm
        return _norm(x, final.weight, float(final.variance_epsilon))

    def _layer(
        self,
        layer: _Layer,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        plan: Attending,
        wanted: Tensor | None,
        factors: Factors | None,
    ) -> Tensor:
        width = cos.shape[-1]
        normed = _norm(x, layer.before, layer.epsilon)
        qkv = layer.qkv(normed)
        if factors is not None:
            sizes = (self._heads * width, self._kv * width, self._kv * width)
            qkv = _added(qkv, sizes, [factors.beside(layer.names[part], normed) for part in QKV])
        turned, v = _turn(qkv.view(x.shape[0], -1, width), cos, sin, self._heads + self._kv)
        q, k = turned[:, : self._heads], turned[:, self._heads :]
        q, k, v = (part.transpose(0, 1).unsqueeze(0) for part in (q, k, v))
        seen = plan.attend(layer.attention, q, k, v, layer.scaling, {"sliding_window": layer.window})[0].flatten(1)
        if wanted is not None:
            seen, x = rows_of(seen, wanted), rows_of(x, wanted)
        if factors is None:
            x = layer.out(seen, x)
            return layer.down(layer.inner(_norm(x, layer.after, layer.epsilon)), x)
        x = _plus(layer.out(seen, x), factors.beside(layer.names["o_proj"], seen))
        normed = _norm(x, layer.after, layer.epsilon)
        gate, up = (factors.beside(layer.names[part], normed) for part in ("gate_proj", "up_proj"))
        inner = layer.inner(normed) if gate is up is None else layer.inner.beside(normed, gate, up)
        return _plus(layer.down(inner, x), factors.beside(layer.names["down_proj"], inner))


def fused_layers(inner: Any) -> FusedLayers | None:
    """Join the weights of a decoder; None where its layers are of another kind."""
    layers = getattr(inner, "layers", None)
    if not layers or any(type(layer).__name__ not in KNOWN for layer in layers):
        return None
    config = inner.config
    if config.hidden_act not in ("silu", "swish") or any(p.requires_grad for p in inner.parameters()):
        return None
    if any(
        m.bias is not None for layer in layers for m in (layer.self_attn.o_proj, *_gates(layer), layer.mlp.down_proj)
    ):
        return None
    heads = int(config.num_attention_heads)
    size = sum(p.nbytes for p in layers.parameters())
    pack = size <= PACKED and can_pack(layers[0].mlp.down_proj.weight)
    joined = [_joined(layer, config, pack, names) for layer, names in zip(layers, _names(inner, layers), strict=True)]
    return FusedLayers(inner, joined, heads, int(config.num_key_value_heads))


def _joined(layer: Any, config: Any, pack: bool, names: Mapping[str, str]) -> _Layer:
    attention = layer.self_attn
    three = (attention.q_proj, attention.k_proj, attention.v_proj)
    biases = [m.bias for m in three]
    qwen = type(layer).__name__ == "Qwen2DecoderLayer"
    mistral = type(layer).__name__ == "MistralDecoderLayer"
    return _Layer(
        attention,
        names,
        float(attention.scaling),
        attention.sliding_window if qwen else getattr(config, "sliding_window", None) if mistral else None,
        layer.input_layernorm.weight,
        layer.post_attention_layernorm.weight,
        float(layer.input_layernorm.variance_epsilon),
        Weight(_join(three), None if any(bias is None for bias in biases) else torch.cat(biases), pack=pack, turn=pack),
        Weight(attention.o_proj.weight, pack=pack, turn=pack),
        _Inner(_join(_gates(layer)), pack),
        Weight(layer.mlp.down_proj.weight, pack=pack, turn=pack),
    )


def _names(inner: Any, layers: Any) -> list[dict[str, str]]:
    """Return, for each layer, the last part of each of its linear layers' names -> the whole name in the model."""
    of = {id(module): name for name, module in inner.named_modules()}
    modules = ((layer.self_attn, layer.mlp) for layer in layers)
    linear = [[(n, m) for part in both for n, m in part.named_children() if n.endswith("_proj")] for both in modules]
    return [{name: f"{inner.base_model_prefix}.{of[id(module)]}" for name, module in found} for found in linear]


def _added(product: Tensor, sizes: Sequence[int], more: Sequence[Tensor | None]) -> Tensor:
    """Return a joined product with what is added to some of its parts."""
    if all(one is None for one in more):
        return product
    parts = zip(torch.split(product, list(sizes), dim=-1), more, strict=True)
    return torch.cat([_plus(part, one) for part, one in parts], dim=-1)


def _plus(product: Tensor, more: Tensor | None) -> Tensor:
    return product if more is None else product + more


def _gates(layer: Any) -> tuple[Any, Any]:
    return layer.mlp.gate_proj, layer.mlp.up_proj


def _join(modules: Sequence[Any]) -> Tensor:
    """Return the weights one above the other; the modules' own become views of it."""
    joined = torch.cat([module.weight.detach() for module in modules])
    at = 0
    for module in modules:
        size = module.weight.shape[0]
        module.weight.data = joined[at : at + size]
        at += size
    return joined


class _Norm(torch.autograd.Function):
    """Root mean square norm (Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4), in float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        scale = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        found: Tensor = (wide * scale).to(x.dtype).mul_(weight)
        return found

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        x, weight, scale = ctx.saved_tensors
        wide, own = x.float(), slope.float() * weight.float()
        along = (own * wide).sum(-1, keepdim=True).mul_(scale.pow(3)).div_(-x.shape[-1])
        return own.mul_(scale).addcmul_(wide, along).to(x.dtype), None, None


class _Turn(torch.autograd.Function):
    """Rotates the first heads by their positions (Su et al. 2021, arXiv 2104.09864, eq. 34), the two halves paired."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor, heads: int) -> tuple[Tensor, Tensor]:
        half, x = qkv.shape[-1] // 2, qkv[:, :heads]
        ctx.save_for_backward(cos, sin)
        turned = x * cos
        turned[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
        turned[..., half:].addcmul_(x[..., :half], sin[..., half:])
        return turned, qkv[:, heads:].contiguous()

    @staticmethod
    def backward(ctx: Any, turned: Tensor, values: Tensor) -> tuple[Tensor, None, None, None]:
        cos, sin = ctx.saved_tensors
        half, heads = turned.shape[-1] // 2, turned.shape[1]
        slope = turned.new_empty(turned.shape[0], heads + values.shape[1], turned.shape[2])
        slope[:, heads:] = values
        own = slope[:, :heads]
        torch.mul(turned, cos, out=own)
        own[..., half:].addcmul_(turned[..., :half], sin[..., :half], value=-1)
        own[..., :half].addcmul_(turned[..., half:], sin[..., half:])
        return slope, None, None, None


class _Inner:
    """SwiGLU (Shazeer 2020, arXiv 2002.05202, eq. 6) with its two products; ``joined`` is gate above up."""

    def __init__(self, joined: Tensor, pack: bool) -> None:
        gate, up = joined.chunk(2)
        self.joined = Weight(joined, pack=False, turn=pack)
        self.gate, self.up = Weight(gate, pack=pack, turn=pack), Weight(up, pack=pack, turn=pack)

    def __call__(self, x: Tensor) -> Tensor:
        """Return [rows, inner]; without a gradient the activation and the gate ride on the products."""
        if self.gate.packed is not None and not (torch.is_grad_enabled() and x.requires_grad):
            return self.up.joined(x, self.gate.product(x, "swish"), "mul")
        found: Tensor = _Gated.apply(x, self)  # type: ignore[no-untyped-call]
        return found

    def beside(self, x: Tensor, gate: Tensor | None, up: Tensor | None) -> Tensor:
        """Return [rows, inner] with what low-rank factors add to gate and up."""
        found: Tensor = functional.silu(_plus(self.gate(x), gate)) * _plus(self.up(x), up)
        return found

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return gate and up before the activation."""
        if self.gate.packed is None:
            gate, up = self.joined.product(x).chunk(2, dim=-1)
            return gate, up
        return self.gate.product(x), self.up.product(x)


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, inner: _Inner) -> Tensor:
        gate, up = inner.both(x)
        ctx.inner = inner
        ctx.save_for_backward(gate, up)
        found: Tensor = functional.silu(gate).mul_(up)
        return found

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        gate, up = ctx.saved_tensors
        width = gate.shape[1]
        found = torch.empty(gate.shape[0], 2 * width, dtype=gate.dtype, device=gate.device)
        torch.ops.aten.silu_backward.grad_input(slope * up, gate, grad_input=found[:, :width])
        torch.mul(functional.silu(gate), slope, out=found[:, width:])
        return ctx.inner.joined.back(found), None


def _norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    found: Tensor = _Norm.apply(x, weight, epsilon)  # type: ignore[no-untyped-call]
    return found


def _turn(qkv: Tensor, cos: Tensor, sin: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    found: tuple[Tensor, Tensor] = _Turn.apply(qkv, cos, sin, heads)  # type: ignore[no-untyped-call]
    return found
