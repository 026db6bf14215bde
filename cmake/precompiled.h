// What nearly every file includes and nobody here changes. Compiled once for all (Precompiled.cmake): reading
// these again was a quarter of the time of a build. Files still include what they use; the linter reads them
// without this one.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <fmt/format.h>
#include <tl/expected.hpp>
