"""Networks that get deeper, or lose a window that nothing is in: what was trained stays as it was."""

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D

from tdm_training import depth, networks, recipe, window

from conftest import RECIPES


def small(name: str, tmp_path, widths: list[int], layers: int | list[int] = 1) -> networks.Model:
    """A recipe's model of few channels with random weights, whose every part has a say."""
    own = recipe.read(RECIPES / name)
    own["unet"] |= {"block_out_channels": widths, "layers_per_block": layers}
    for types in ("down_block_types", "up_block_types"):
        own["unet"][types] = own["unet"][types][-len(widths):] if types.startswith("down") else own["unet"][types][: len(widths)]
    torch.manual_seed(9)
    return networks.build(own, tmp_path)


def blocks(net: torch.nn.Module) -> int:
    return sum(isinstance(part, ResnetBlock2D) for part in net.modules())


@torch.no_grad()
def given(model: networks.Model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    draw = lambda *shape: torch.randn(shape, generator=generator)
    net = model.unet
    picture = draw(1, model.controlnet.config.conditioning_channels, 32, 48) if model.controlnet else None
    width = model.vae.config.latent_channels
    latent, context = draw(1, width, 16, 24), draw(1, 77, net.config.cross_attention_dim)
    return model.predict(latent, torch.tensor([99]), context, picture, beside=draw(1, width, 16, 24) if model.reads_both else None)


@pytest.mark.parametrize("recipe_of, widths", [("denoise.toml", [16, 24, 32]), ("superres.toml", [16])])
@pytest.mark.parametrize("layers", [2, 3])
def test_a_deeper_network_begins_with_what_the_trained_one_gives(recipe_of, widths, layers, tmp_path):
    model = small(recipe_of, tmp_path, widths)
    before, count = given(model), [blocks(net) for net in (model.unet, model.controlnet) if net]
    depth.fit(model, {"unet": {"layers_per_block": layers}})
    more = (layers - 1) * len(widths)
    assert [blocks(net) for net in (model.unet, model.controlnet) if net] == [c + m for c, m in zip(count, (2 * more, more))]
    assert torch.allclose(given(model), before, atol=1e-5)
    for net in (model.unet, model.controlnet):
        assert net is None or net.config.layers_per_block == layers


@pytest.mark.parametrize("layers", [[3, 1, 2], [1, 2, 1]])
def test_resolutions_may_get_deeper_by_themselves(layers, tmp_path):
    model = small("denoise.toml", tmp_path, [16, 24, 32])
    before, count = given(model), [blocks(net) for net in (model.unet, model.controlnet)]
    depth.fit(model, {"unet": {"layers_per_block": layers}})
    more = sum(layers) - 3
    assert [blocks(net) for net in (model.unet, model.controlnet)] == [c + m for c, m in zip(count, (2 * more, more))]
    assert torch.allclose(given(model), before, atol=1e-5)
    model.save(tmp_path / "deep")
    again = networks.load(tmp_path / "deep")
    assert networks.layers_of(again.unet) == networks.layers_of(again.controlnet) == layers
    assert torch.allclose(given(again), before, atol=1e-5)
    deeper = [level + 1 for level in layers]
    depth.fit(again, {"unet": {"layers_per_block": deeper}})
    assert networks.layers_of(again.controlnet) == deeper and torch.allclose(given(again), before, atol=1e-5)
    built = small("denoise.toml", tmp_path, [16, 24, 32], layers)
    assert [blocks(net) for net in (built.unet, built.controlnet)] == [c + m for c, m in zip(count, (2 * more, more))]
    given(built)


@torch.no_grad()
def test_every_block_that_was_added_can_have_a_say(tmp_path):
    model = small("denoise.toml", tmp_path, [16, 24, 32])
    before = given(model)
    depth.fit(model, {"unet": {"layers_per_block": 2}})
    added = [part for net in (model.unet, model.controlnet) for part in net.modules()
             if isinstance(part, ResnetBlock2D) and not part.conv2.weight.any()]
    assert len(added) == 9
    for block in added:
        block.conv2.bias.fill_(1)
        assert not torch.allclose(given(model), before, atol=1e-3)
        block.conv2.bias.zero_()


def test_nothing_gets_shallower(tmp_path):
    model = small("superres.toml", tmp_path, [16])
    unet = model.unet
    depth.fit(model, {"unet": {"layers_per_block": 1}})
    assert model.unet is unet
    depth.fit(model, {"unet": {"layers_per_block": 3}})
    with pytest.raises(ValueError, match="expected 3, which the model that it begins with has, or more"):
        depth.fit(model, {"unet": {"layers_per_block": 2}})


def test_without_a_window_it_gives_what_it_gave_of_frames_alone(tmp_path):
    model = small("embedded.toml", tmp_path, [16, 24, 32])
    before, came = given(model), model.unet.conv_in.in_channels
    for net in (model.unet, model.controlnet):
        window.narrow(net)
        assert net.conv_in.in_channels == came / 5 and window.radius_of(net) == 0
    assert torch.allclose(given(model), before, atol=1e-5)
    model.save(tmp_path / "narrow")
    assert torch.allclose(given(networks.load(tmp_path / "narrow")), before, atol=1e-5)
