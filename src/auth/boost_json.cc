// Boost.JSON in header-only form: its definitions are compiled here, once, for the packages above as well.
// Trees (files of Mosquitto, the control socket) are read and written with it, and the strings of
// cli/json_text.h.
#include <boost/json/src.hpp>
