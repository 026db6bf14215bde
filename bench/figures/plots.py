"""The plots of docs/performance.md, as small SVG files."""

from figures import parts, tables

WIDTH_IN, HEIGHT_IN = 4.6, 3.0
COLORS = {"nightjar": "#1b6ca8", "relay": "#888888", "mosquitto": "#d1495b", "nats": "#3a9d5d"}


def series(results, brokers, points, line_of):
    """{broker: ([x], [CPU µs per message])}, without what was not measured."""
    found = {}
    for broker in brokers:
        values = [(x, results.median(line_of(x), "run", tables.CPU_MESSAGE, broker)) for x in points]
        known = [(x, y) for x, y in values if y]
        if known:
            found[broker] = ([x for x, _ in known], [y for _, y in known])
    return found


def worker_bars(results):
    values = {name: results.median("p2p", "run", tables.CPU_MESSAGE, name) for name in parts.CONFIGURATIONS}
    return {name: value for name, value in values.items() if value}


def curves(results):
    """File name to (what x is, how its values are said, its series)."""
    four, routers = ("nightjar", "relay", "mosquitto", "nats"), ("nightjar", "mosquitto", "nats")
    per_message = "subscribers of each message"
    return {
        "payload": ("payload", tables.size_text, series(results, parts.DIRECT, parts.SIZES, lambda x: f"p2p -s {x}")),
        "subscribers": (per_message, tables.count, series(results, four, parts.SUBSCRIBERS, parts.fanout)),
        "filters": ("filters", tables.count, series(results, routers, parts.FILTERS, parts.wild)),
        "connections": ("pairs of connections", tables.count, series(results, four, parts.PAIRS, parts.pairs)),
    }


def pyplot():
    # Only here, so that the tables and their tests need no matplotlib.
    import matplotlib
    matplotlib.use("svg")
    # Text stays text and the ids stay the same: small files that differ only where the figures do.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "nightjar", "font.size": 9,
                                "font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot as plt
    return plt


def save(plt, figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    # matplotlib ends lines of path data with a blank.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def label_axes(axes, x_text, points):
    """Plain numbers where there is something, instead of powers of ten."""
    from matplotlib import ticker
    axes.set_xticks(points, [x_text(x) for x in points])
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if is_narrow(axes.get_ylim()) else (1,)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.minorticks_off()


def is_narrow(limits):
    """Whether powers of ten alone would leave an axis nearly empty."""
    return limits[1] < 100 * limits[0]


def draw_curves(plt, path, x_title, x_text, found):
    figure, axes = plt.subplots(figsize=(WIDTH_IN, HEIGHT_IN))
    for broker, (x, y) in found.items():
        axes.plot(x, y, marker="o", markersize=4, label=broker, color=COLORS[broker])
    axes.set(xscale="log", yscale="log", xlabel=x_title, ylabel=tables.CPU_MESSAGE)
    label_axes(axes, x_text, sorted({each for x, _ in found.values() for each in x}))
    axes.grid(True, linewidth=0.3)
    # Above the curves, wherever these are.
    axes.legend(frameon=False, fontsize=8, ncol=len(found), loc="lower left", bbox_to_anchor=(0, 1), borderpad=0,
                columnspacing=1)
    save(plt, figure, path)


def draw_workers(plt, path, found):
    figure, axes = plt.subplots(figsize=(WIDTH_IN, HEIGHT_IN))
    bars = axes.bar(list(found), list(found.values()), width=0.5, color=COLORS["nightjar"])
    axes.bar_label(bars, fmt="%.3g")
    axes.set(ylabel=tables.CPU_MESSAGE)
    save(plt, figure, path)


def write(json, folder):
    results, plt = tables.Results(json), pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    for name, (x_title, x_text, found) in curves(results).items():
        if found:
            draw_curves(plt, folder / f"{name}.svg", x_title, x_text, found)
    if found := worker_bars(results):
        draw_workers(plt, folder / "workers.svg", found)
