#include "cli/bench/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

namespace nightjar::cli::bench {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 260;
constexpr double kLeft = 76;
constexpr double kRight = 12;
constexpr double kTop = 34;
constexpr double kBottom = 40;
constexpr double kBarHeight = 22;
constexpr double kBarLeft = 150;
constexpr double kBarRight = 170;
constexpr int kMarks = 5;

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #8a939e; --grid: #d9dee4; --paper: #ffffff;
  --c0: #0a6cbd; --c1: #d1570a; --c2: #2b8a3e; --c3: #8b3fb5; --c4: #b3213b; --c5: #66707c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --faint: #8a939e; --grid: #343b44; --paper: #14181d;
  --c0: #57a9ee; --c1: #f0924c; --c2: #6fc283; --c3: #c08ae0; --c4: #ee7287; --c5: #a3adb8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1340px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
td, th { padding: 0.15rem 1.2rem 0.15rem 0; text-align: left; vertical-align: top; font-weight: normal; }
th { color: var(--faint); } .bad { color: var(--c4); font-weight: 600; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
svg { width: 100%; max-width: 640px; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .faint { fill: var(--faint); }
svg .title { font-size: 14px; font-weight: 600; }
svg .grid { stroke: var(--grid); stroke-width: 1; } svg polyline { fill: none; stroke-width: 1.8; }
)";

struct Span {
  double low = 0;
  double high = 1;
};

// 1, 2 or 5 times a power of ten: a distance between marks that people read easily.
double round_step(double wanted) {
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  const double part = wanted / power;
  return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

class Plot {
 public:
  Plot(const ChartForm& form, const std::vector<ChartLine>& lines) : form_(form) {
    bool is_first = true;
    double least = 0;
    for (const ChartLine& line : lines) {
      for (const auto& [x, y] : line.points) {
        x_ = is_first ? Span{x, x} : Span{std::min(x_.low, x), std::max(x_.high, x)};
        y_.high = is_first ? y : std::max(y_.high, y);
        if (y > 0) least = least == 0 ? y : std::min(least, y);
        is_first = false;
      }
    }
    if (x_.high <= x_.low) x_.high = x_.low + 1;
    if (y_.high <= 0) y_.high = 1;
    if (form.is_logarithmic) {
      y_.low = std::pow(10, std::floor(std::log10(least > 0 ? least : 1)));
      y_.high = std::pow(10, std::ceil(std::log10(std::max(y_.high, y_.low * 10))));
    } else {
      step_ = round_step(y_.high / kMarks);
      y_.high = std::ceil(y_.high / step_) * step_;
    }
  }

  [[nodiscard]] double at_x(double x) const {
    return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double at_y(double y) const {
    const double part = form_.is_logarithmic
                            ? std::log10(std::max(y, y_.low) / y_.low) / std::log10(y_.high / y_.low)
                            : y / y_.high;
    return kHeight - kBottom - part * (kHeight - kTop - kBottom);
  }

  void draw_axes(std::string& out) const {
    for (double y = form_.is_logarithmic ? y_.low : 0; y <= y_.high * 1.0001;
         y = form_.is_logarithmic ? y * 10 : y + step_) {
      fmt::format_to(std::back_inserter(out),
                     "<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>"
                     "<text class='faint' x='{:.1f}' y='{:.1f}' text-anchor='end'>{}</text>\n",
                     kLeft, kWidth - kRight, at_y(y), at_y(y), kLeft - 6, at_y(y) + 4,
                     html_text(form_.y_text(y)));
    }
    for (const auto& [x, text] : x_marks()) {
      fmt::format_to(std::back_inserter(out),
                     "<text class='faint' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n", at_x(x),
                     kHeight - kBottom + 16, html_text(text));
    }
    fmt::format_to(std::back_inserter(out),
                   "<text class='faint' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n",
                   (kLeft + kWidth - kRight) / 2, kHeight - 6, html_text(form_.x_title));
  }

 private:
  [[nodiscard]] std::vector<std::pair<double, std::string>> x_marks() const {
    if (!form_.x_marks.empty()) return form_.x_marks;
    std::vector<std::pair<double, std::string>> marks;
    const double step = round_step((x_.high - x_.low) / kMarks);
    for (double x = std::ceil(x_.low / step) * step; x <= x_.high * 1.0001; x += step) {
      marks.emplace_back(x, fmt::format("{:g}", x));
    }
    return marks;
  }

  const ChartForm& form_;
  Span x_;
  Span y_;
  double step_ = 1;
};

void draw_line(std::string& out, const Plot& plot, const ChartForm& form, const ChartLine& line,
               std::size_t number) {
  fmt::format_to(std::back_inserter(out), "<polyline style='stroke:var(--c{})' points='", number % 6);
  for (const auto& [x, y] : line.points) {
    fmt::format_to(std::back_inserter(out), "{:.1f},{:.1f} ", plot.at_x(x), plot.at_y(y));
  }
  out += "'/>\n";
  // Dots carry the figure for the mouse; too many of them would only be a thick line.
  constexpr std::size_t kDotsMax = 60;
  const std::size_t every = line.points.size() / kDotsMax + 1;
  for (std::size_t i = 0; i < line.points.size(); i += every) {
    const auto& [x, y] = line.points[i];
    fmt::format_to(
        std::back_inserter(out),
        "<circle r='2.2' cx='{:.1f}' cy='{:.1f}' style='fill:var(--c{})'><title>{}: {}</title></circle>\n",
        plot.at_x(x), plot.at_y(y), number % 6, html_text(line.name), html_text(form.y_text(y)));
  }
}

}  // namespace

std::string html_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<title>{0}</title>\n<style>{1}</style>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      html_text(title), kStyle, body);
}

std::string line_chart(const ChartForm& form, const std::vector<ChartLine>& lines) {
  std::string out = fmt::format("<svg viewBox='0 0 {} {}' role='img'><title>{}</title>\n", kWidth, kHeight,
                                html_text(form.title));
  fmt::format_to(std::back_inserter(out), "<text class='title' x='{:.1f}' y='18'>{}</text>\n", kLeft,
                 html_text(form.title));
  const Plot plot(form, lines);
  plot.draw_axes(out);
  double legend = kWidth - kRight;
  for (std::size_t i = lines.size(); i-- > 0;) {
    draw_line(out, plot, form, lines[i], i);
    fmt::format_to(std::back_inserter(out),
                   "<text x='{:.1f}' y='18' text-anchor='end' style='fill:var(--c{})'>{}</text>\n", legend,
                   i % 6, html_text(lines[i].name));
    legend -= static_cast<double>(lines[i].name.size()) * 7 + 16;
  }
  return out + "</svg>\n";
}

std::string bar_chart(const std::string& title, const std::vector<ChartBar>& bars) {
  double most = 0;
  for (const ChartBar& bar : bars) {
    most = std::max(most, bar.value);
    for (const double each : bar.single) most = std::max(most, each);
  }
  if (most <= 0) most = 1;
  const double height = kTop + kBarHeight * static_cast<double>(bars.size()) + 6;
  const auto at_x = [&](double value) { return kBarLeft + value / most * (kWidth - kBarLeft - kBarRight); };
  std::string out = fmt::format(
      "<svg viewBox='0 0 {} {}' role='img'><title>{}</title>\n<text class='title' x='0' y='18'>{}</text>\n",
      kWidth, height, html_text(title), html_text(title));
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const ChartBar& bar = bars[i];
    const double y = kTop + kBarHeight * static_cast<double>(i);
    fmt::format_to(std::back_inserter(out),
                   "<text x='{:.1f}' y='{:.1f}' text-anchor='end'>{}</text>"
                   "<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' style='fill:var(--c{})'/>"
                   "<text x='{:.1f}' y='{:.1f}'>{}</text>\n",
                   kBarLeft - 8, y + 15, html_text(bar.name), kBarLeft, y + 3,
                   std::max(1.0, at_x(bar.value) - kBarLeft), kBarHeight - 6, i % 6, kWidth - kBarRight + 10,
                   y + 15, html_text(bar.text));
    for (const double each : bar.single) {
      fmt::format_to(std::back_inserter(out), "<circle class='faint' r='2.5' cx='{:.1f}' cy='{:.1f}'/>\n",
                     at_x(each), y + kBarHeight / 2);
    }
  }
  return out + "</svg>\n";
}

}  // namespace nightjar::cli::bench
