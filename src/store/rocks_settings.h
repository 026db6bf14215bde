// What RocksDB is told, each setting with its reason, and the names that are in its files. Pure values; only
// for the files of this package that include RocksDB anyway.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/durable/changes.h"
#include "store/rocks_options.h"

namespace nightjar::store {

// Under this key of Table::kMeta stands the version of everything in the store.
inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::uint32_t kFormat = 1;

rocksdb::Env& env_of(const RocksOptions& options);
rocksdb::DBOptions database_settings(const RocksOptions& options);
// The column families, in the order of broker::Table.
std::vector<rocksdb::ColumnFamilyDescriptor> table_settings(const RocksOptions& options);

inline rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view text_of(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Why the store in `directory` cannot be opened or read, and what to do.
tl::unexpected<Error> store_error(const std::filesystem::path& directory, const rocksdb::Status& status);

}  // namespace nightjar::store
