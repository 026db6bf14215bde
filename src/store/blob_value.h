// A value that lies in a blob file, read without RocksDB: when the list of its files is lost and made anew,
// RocksDB no longer knows the blob files, though they are all there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace nightjar::store {

// `reference`: what stands in the table instead of the value. Nothing if the blob is damaged or gone.
std::optional<std::string> read_blob_value(const std::filesystem::path& directory, std::string_view key,
                                           std::string_view reference);

}  // namespace nightjar::store
