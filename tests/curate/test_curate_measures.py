"""What curate measures, against pictures whose motion and looks are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flythrough.curate.measures import picture
from flythrough.curate.measures.air import haze, night
from flythrough.curate.measures.coding import bits_a_pixel, blockiness
from flythrough.curate.measures.motion import motion_measures
from flythrough.curate.measures.overlays import overlay_mask
from flythrough.curate.measures.pace import Change, pace_measures
from flythrough.curate.measures.picture import blur_effect, look
from flythrough.curate.measures.tracker import Tracker, Window
from flythrough.curate.measures.writing import writing
from flythrough.media.sky import sky_and_water

WIDTH, HEIGHT, HZ = 256, 144, 15.0


def texture(seed: int, side: int = 900) -> np.ndarray:
    """Grey ground with detail of several sizes."""
    noise = np.random.default_rng(seed).normal(0, 1, (side, side)).astype(np.float32)
    layers = [cv2.GaussianBlur(noise, (0, 0), s) * s for s in (1.5, 4, 10)]
    return np.clip(128 + 45 * sum(layers), 0, 255).astype(np.uint8)


def seen(ground: np.ndarray, *, right: float = 0.0, zoom: float = 1.0, roll_deg: float = 0.0) -> np.ndarray:
    """The ground under a camera: moved right by widths, enlarged, turned about the picture's centre."""
    matrix = cv2.getRotationMatrix2D((450, 450), roll_deg, zoom)
    matrix[:, 2] += [WIDTH * (0.5 + right) - 450, HEIGHT / 2 - 450]
    return cv2.warpAffine(ground, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)


def measured(frames: list[np.ndarray]) -> dict[str, float]:
    tracker = Tracker()
    for number, frame in enumerate(frames):
        tracker.add(frame, number / HZ)
    return motion_measures(tracker.steps, tracker.windows)


def test_speed_zoom_and_roll_are_those_of_the_camera() -> None:
    ground = texture(0)
    moved = measured([seen(ground, right=0.01 * i) for i in range(30)])
    assert moved["speed_widths_s"] == pytest.approx(0.01 * HZ, rel=0.03)
    assert moved["travel_widths"] == pytest.approx(0.29, rel=0.03)
    assert moved["tracked"] > 0.9
    zoomed = measured([seen(ground, zoom=1.01**i) for i in range(30)])
    assert zoomed["zoom_per_s"] == pytest.approx(np.log(1.01) * HZ, rel=0.03)
    rolled = measured([seen(ground, roll_deg=0.8 * i) for i in range(30)])
    assert rolled["roll_deg_s"] == pytest.approx(0.8 * HZ, rel=0.03)
    for smooth in (moved, zoomed, rolled):
        assert smooth["shake_widths_s2"] < 0.1


def test_shaking_is_acceleration_of_the_centre() -> None:
    ground = texture(1)
    jolts = np.where(np.arange(30) % 2, 0.01, 0.0)
    shaken = measured([seen(ground, right=float(x)) for x in jolts])
    assert shaken["shake_widths_s2"] == pytest.approx(0.02 * HZ**2, rel=0.05)


def test_repeated_and_missing_frames_are_no_shaking() -> None:
    ground = texture(1)
    for rate in (1.6, 0.8, 1.25):  # frames filmed for each that is followed, as after a change of the frame rate
        resampled = [int(rate * i) * 0.32 / 24 for i in range(30)]
        assert measured([seen(ground, right=x) for x in resampled])["shake_widths_s2"] < 0.5
        shaken = [seen(np.roll(ground, 3 * (i % 2), 0), right=x) for i, x in enumerate(resampled)]
        assert measured(shaken)["shake_widths_s2"] > 4  # 3 pixels of 256, up and down


def two_layers(i: int) -> np.ndarray:
    """Hills that pass twice as fast as the plain behind them."""
    hills = np.kron(np.random.default_rng(5).random((30, 30)) < 0.4, np.ones((30, 30))).astype(np.uint8)
    near = seen(hills * 255, right=0.02 * i) > 127
    return np.where(near, seen(texture(2), right=0.02 * i), seen(texture(3), right=0.01 * i))


def test_depth_shows_as_parallax_and_turns_do_not() -> None:
    ground = texture(4)
    flown = measured([two_layers(i) for i in range(30)])
    assert flown["windows"] >= 3
    assert flown["parallax"] > 0.2
    assert flown["translation"] > 0.1
    assert flown["depth_gain"] > 0.5
    for turned in (
        measured([seen(ground, right=0.02 * i) for i in range(30)]),
        *(measured([seen(ground, zoom=rate**i) for i in range(30)]) for rate in (1.01, 1.03, 1.05, 1 / 1.03)),
        measured([seen(ground, roll_deg=2 * i, right=0.01 * i) for i in range(30)]),
    ):
        assert turned["windows"] >= 1
        assert turned["parallax"] < 0.05
        assert turned["translation"] < 0.02
        assert turned["depth_gain"] < 0.3
        assert turned["moving_area"] < 0.1


def test_a_slow_flight_shows_its_depth_over_its_whole_travel() -> None:
    slow = measured([two_layers(i / 20) for i in range(45)])
    assert 0.02 < slow["shift_widths"] < 0.05
    assert slow["translation"] > 0.1
    stands = measured([two_layers(0)] * 45)
    assert stands["shift_widths"] < 0.002


def test_the_way_of_near_and_far_points_does_not_leap_with_how_many_there_are() -> None:
    def moved(near: int) -> Window:
        """Of 20 firm points, so many are near and move five times as far."""
        anchor = np.random.default_rng(0).uniform(20, 120, (20, 2)).astype(np.float32)
        way = np.where(np.arange(20) < near, 5.0, 1.0)[:, None] * [1, 0]
        return Window(0, 1, 20, anchor, (anchor + way).astype(np.float32), np.ones(20, bool), (144, 256))

    fewer, more = moved(9), moved(11)
    assert more.firm_shift / fewer.firm_shift == pytest.approx(5, rel=1e-3)
    assert more.firm_way / fewer.firm_way < 1.4
    assert moved(4).firm_way * 256 == pytest.approx(1, rel=1e-3)  # up to a quarter may move by themselves


def test_what_changes_its_look_is_not_firm() -> None:
    ground, waves = texture(12), [texture(20 + i) for i in range(2)]

    def sea(i: int) -> np.ndarray:
        """Crests that travel and turn into others within half a second, above a beach that stands."""
        mixed = cv2.addWeighted(
            seen(waves[0], right=0.01 * i), 1 - i % 10 / 10, seen(waves[1], right=0.01 * i), i % 10 / 10, 0
        )
        picture = seen(ground)
        picture[:108] = mixed[:108]
        return picture

    found = measured([sea(i) for i in range(30)])
    assert found["firm"] < 0.5
    assert found["shift_widths"] < 0.01  # of the beach alone
    assert measured([seen(ground, right=0.01 * i) for i in range(30)])["firm"] > 0.8


def test_a_car_moves_alone() -> None:
    ground, car = texture(6), np.full((8, 8), 255, np.uint8)

    def frame(i: int) -> np.ndarray:
        picture = seen(ground, right=0.01 * i)
        picture[60 + 2 * i : 68 + 2 * i, 100:108] = car
        return picture

    empty = measured([seen(ground, right=0.01 * i) for i in range(20)])
    busy = measured([frame(i) for i in range(20)])
    assert busy["small_movers"] > empty["small_movers"] + 0.5


def test_nothing_to_follow_is_said_not_made_up() -> None:
    assert measured([np.full((HEIGHT, WIDTH), 90, np.uint8)] * 10) == {"tracked": 0.0}


@pytest.mark.parametrize("height", [16, 64, 65, 129, 300])
def test_blur_in_bands_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch, height: int) -> None:
    gray = texture(7)[:height, :200]
    bands = blur_effect(gray)
    monkeypatch.setattr(picture, "BAND", 10**6)
    assert bands == pytest.approx(blur_effect(gray), rel=1e-6)


def test_blur_grows_with_what_is_lost() -> None:
    sharp = texture(8)
    values = [blur_effect(sharp), *(blur_effect(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (1, 2, 4))]
    assert values == sorted(values)
    assert values[0] < 0.5 < 0.8 < values[-1]
    assert blur_effect(cv2.blur(sharp, (31, 1))) > values[1]  # smeared one way
    assert blur_effect(np.full((50, 50), 7, np.uint8)) == 1.0


def test_a_look_counts_dark_and_bright_inside_the_bars() -> None:
    luma = np.zeros((480, 854), np.uint8)
    luma[60:420] = 250
    luma[60:420, :427] = texture(9, 900)[:360, :427] // 4 + 100
    found = look(luma)
    assert found.bright == pytest.approx(0.5, abs=0.01)
    assert found.dark < 0.01
    assert np.flatnonzero(found.rows > 20)[[0, -1]].tolist() == [60, 419]


def test_writing_that_stays_is_an_overlay_and_the_scene_is_not() -> None:
    ground = cv2.resize(texture(10), (2700, 2700))
    pictures = []
    for i in range(12):
        picture = ground[300 + 20 * i : 780 + 20 * i, 200 + 35 * i : 1054 + 35 * i].copy()
        cv2.putText(picture, "REC 12:45", (40, 440), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 5)
        pictures.append(cv2.cvtColor(cv2.resize(picture, (398, 224), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB))
    mask = overlay_mask(pictures, (0, 0, 1, 1))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    scale = mask.shape[0] / 480
    assert 380 * scale < rows[0] < rows[-1] < 450 * scale
    assert 30 * scale < columns[0] < columns[-1] < 380 * scale
    assert 0.01 < mask.mean() < 0.06


def test_writing_is_found_where_it_moves_and_where_it_shows_once() -> None:
    ground = cv2.resize(texture(10), (2700, 2700))
    pictures = []
    for i in range(6):
        picture = ground[300:780, 200 + 35 * i : 1054 + 35 * i].copy()
        if i != 3:
            cv2.putText(picture, "Welcome", (100 + 80 * i, 300), cv2.FONT_HERSHEY_DUPLEX, 3, 255, 8)
        pictures.append(cv2.cvtColor(cv2.resize(picture, (398, 224), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB))
    masks = writing(pictures)
    assert masks.shape == (6, 224, 398)
    assert not masks[3].any()
    for i in (0, 1, 2, 4, 5):
        rows, columns = np.flatnonzero(masks[i].any(1)), np.flatnonzero(masks[i].any(0))
        assert 90 < rows[0] < rows[-1] < 160
        assert abs(columns[0] - (100 + 80 * i) * 398 / 854) < 15


def test_scenery_without_writing_has_none() -> None:
    pictures = [cv2.cvtColor(texture(seed)[:180, :320], cv2.COLOR_GRAY2RGB) for seed in range(4)]
    assert not writing(pictures).any()


def test_sky_above_water_above_land() -> None:
    picture = np.zeros((180, 320, 3), np.uint8)
    picture[:60] = (150, 190, 235)
    picture[60:120] = (20, 70, 110)
    picture[120:] = cv2.cvtColor(texture(11)[:60, :320], cv2.COLOR_GRAY2RGB)
    sky, water = sky_and_water(picture)
    assert sky == pytest.approx(1 / 3, abs=0.05)
    assert water == pytest.approx(1 / 3, abs=0.05)


def pressed(gray: np.ndarray, quality: int) -> np.ndarray:
    """As JPEG leaves it, in blocks of 8 from the upper left."""
    return cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def test_blockiness_grows_with_compression_and_needs_the_grid() -> None:
    ground = texture(14)[:480, :640]
    whole = (0, 0, 480, 640)
    values = [blockiness(pressed(ground, quality), whole) for quality in (95, 20, 5)]
    assert blockiness(ground, whole) < 0.03
    assert values[0] < 0.05 < values[1] < values[2]
    assert values[2] > 0.5
    assert blockiness(pressed(ground, 5)[3:, 5:], (0, 0, 477, 635)) < values[2] / 2  # the grid is elsewhere
    assert blockiness(np.full((480, 640), 90, np.uint8), whole) == 0
    assert blockiness(ground[:16, :16], (0, 0, 16, 16)) == 0  # too small to tell


def test_bars_and_frames_are_no_blocks() -> None:
    luma = np.zeros((480, 640), np.uint8)
    luma[64:416] = texture(15)[:352, :640]
    luma[240:, 320:] //= 2  # a picture in the picture, on the grid
    assert blockiness(luma, (64, 0, 416, 640)) < 0.1
    assert blockiness(luma, (0, 0, 480, 640)) < 0.1


def walk(seed: int = 0, count: int = 40) -> list[np.ndarray]:
    """Frames of a texture that moves by a pixel a frame, under steady light."""
    ground = cv2.GaussianBlur(np.random.default_rng(seed).uniform(0, 255, (60, 200)), (0, 0), 2).astype(np.uint8)
    return [ground[:, k : k + 100] for k in range(count)]


def changes(frames: list[np.ndarray]) -> list[Change]:
    pairs = zip([frames[0], *frames], frames, strict=False)
    return [Change(float(after.mean()), float(cv2.absdiff(before, after).mean())) for before, after in pairs]


def test_frames_shown_twice_or_three_times_repeat() -> None:
    once = walk()
    assert pace_measures(changes(once))["repeated"] == 0
    for times in (2, 3):
        slowed = [frame for frame in once for _ in range(times)]
        assert pace_measures(changes(slowed))["repeated"] == pytest.approx(1 - 1 / times, abs=0.02)
    assert pace_measures(changes(once[:1] * 20))["repeated"] == 1


def test_pictures_exposed_each_by_itself_flicker() -> None:
    rng, steady = np.random.default_rng(1), walk()
    fade = [(frame * (1 - k / 80)).astype(np.uint8) for k, frame in enumerate(steady)]
    lapse = [(frame * rng.uniform(0.9, 1.0)).astype(np.uint8) for frame in steady]
    figures = {name: pace_measures(changes(f))["flicker"] for name, f in (("s", steady), ("f", fade), ("l", lapse))}
    assert figures["l"] > 5 * max(figures["s"], figures["f"])


def test_a_cut_before_a_shot_is_not_its_own_and_a_moment_says_nothing() -> None:
    cut = changes(walk())
    cut[0] = Change(cut[0].brightness, 90.0)
    assert pace_measures(cut) == pace_measures(changes(walk()))
    assert pace_measures(cut[:7]) == {}


def test_bits_a_pixel_are_those_of_the_file_or_unknown() -> None:
    assert bits_a_pixel([100, 300], (10, 20)) == 8.0
    assert bits_a_pixel([100, None], (10, 20)) is None
    assert bits_a_pixel([], (10, 20)) is None


def coloured() -> np.ndarray:
    """Ground of many colours, some of it dark in every patch."""
    patches = np.random.default_rng(16).integers(0, 256, (75, 133, 3), np.uint8)
    return np.kron(patches, np.ones((3, 3, 1), np.uint8))[:224, :398]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_haze_is_the_share_of_the_airs_light(share: float) -> None:
    air = np.array([215, 222, 230])
    ground = coloured().astype(float)
    picture = np.concatenate([np.full((60, 398, 3), air, float), share * air + (1 - share) * ground])
    sky = 60 / len(picture)
    assert haze(picture.round().astype(np.uint8), sky) == pytest.approx(share, abs=0.08)
    assert haze(coloured(), 0.0) < 0.08


def test_a_dark_picture_is_not_hazy() -> None:
    assert haze((coloured() * 0.1 + 12).astype(np.uint8), 0.0) < 0.15


def test_night_is_darkness_or_lamps_in_the_dark() -> None:
    day = coloured()
    city = (day * 0.3).astype(np.uint8)
    for y, x in np.random.default_rng(0).integers(4, (220, 394), (600, 2)):
        city[y - 1 : y + 2, x - 1 : x + 2] = (250, 220, 150)
    bright_lamps = np.maximum(city, day)
    assert night(day) == 0
    assert night(bright_lamps) < 0.05
    assert 0.3 < night(city) < 1
    assert night((day * 0.1).astype(np.uint8)) > 0.7
    assert night(np.zeros_like(day)) == 1
