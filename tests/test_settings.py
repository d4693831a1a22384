import pytest

from transfer import settings
from transfer.networks import scratch

MANY = [0, 1, 2, 15, 16, 31, 100, 500, 1999, 2000, 5000, 100_000, 10**7]


@pytest.mark.parametrize("images", MANY)
@pytest.mark.parametrize("rule", [settings.head_schedule, settings.finetune_schedule, settings.scratch_schedule])
def test_schedules_are_sound_for_any_number(rule, images):
    schedule = rule(images)
    assert schedule.epochs >= 1
    assert schedule.batch_size >= 1
    assert 0 < schedule.learning_rate < 0.1
    assert schedule.patience is None or schedule.patience >= 1
    assert 0 < schedule.lowest_rate <= 1
    assert 0 <= schedule.label_smoothing < 1
    assert rule(images) == schedule


@pytest.mark.parametrize(
    ("images", "batch_size"), [(1, 16), (16, 16), (31, 16), (32, 32), (255, 128), (256, 256), (100_000, 256)]
)
def test_head_schedule_has_the_same_steps_for_any_number(images, batch_size):
    schedule = settings.head_schedule(images)
    assert schedule.batch_size == batch_size
    assert schedule.epochs * schedule.steps == 300
    assert settings.head_schedule(images, convex=True).patience is None


@pytest.mark.parametrize(
    ("images", "batch_size", "epochs"),
    [(10, 8, 12), (255, 8, 12), (256, 16, 12), (2500, 32, 12), (3000, 32, 10), (6000, 32, 6), (10**6, 32, 6)],
)
def test_finetune_schedule(images, batch_size, epochs):
    schedule = settings.finetune_schedule(images)
    assert (schedule.batch_size, schedule.epochs) == (batch_size, epochs)


@pytest.mark.parametrize(("images", "epochs"), [(100, 100), (1200, 100), (2400, 50), (6000, 20), (10**6, 20)])
def test_scratch_schedule(images, epochs):
    assert settings.scratch_schedule(images).epochs == epochs


@pytest.mark.parametrize("rule", [settings.finetune_schedule, settings.scratch_schedule])
def test_with_another_batch_size_an_epoch_still_has_every_picture(rule):
    schedule = rule(300, 7)
    assert (schedule.batch_size, schedule.steps) == (7, 43)
    assert schedule.epochs == rule(300).epochs


@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize(("images", "residual"), [(1999, False), (2000, True)])
def test_scratch_layers_can_be_built(images, residual, size):
    rows = settings.scratch_layers(images, size)
    assert any("residual" in row for row in rows) is residual
    assert len(scratch.convnet(size, rows).output_shape) == 2


@pytest.mark.parametrize(("size", "convolutions"), [(4, 2), (32, 2), (48, 3), (64, 4), (224, 4)])
def test_scratch_layers_follow_the_size(size, convolutions):
    assert sum("conv" in row for row in settings.scratch_layers(100, size)) == convolutions


@pytest.mark.parametrize(
    ("typical", "default", "smallest", "expected"),
    [
        (8, 96, 32, 64),  # enlarged to 64
        (64, 96, 32, 64),
        (100, 224, 32, 192),  # a network for large pictures gets them enlarged
        (210, 224, 32, 224),
        (500, 224, 32, 224),  # never above the default
        (8, 96, 75, 75),  # never below the smallest
        (33, 48, 32, 48),
    ],
)
def test_image_size(typical, default, smallest, expected):
    assert settings.image_size(typical, default, smallest) == expected


@pytest.mark.parametrize(
    ("held", "name"), [(8, "bundled"), (63, "bundled"), (64, "efficientnet_lite0"), (4000, "efficientnet_lite0")]
)
def test_backbone(held, name):
    assert settings.backbone(held) == name


def test_bootstrap_draws():
    assert settings.bootstrap_draws() == 2000
