package weir

import "time"

// Unit is that of a limit: a month has 30 days, a year 365.
type Unit string

// The units that Envoy's API knows.
const (
	Second Unit = "second"
	Minute Unit = "minute"
	Hour   Unit = "hour"
	Day    Unit = "day"
	Week   Unit = "week"
	Month  Unit = "month"
	Year   Unit = "year"
)

const day = 24 * time.Hour

// units are at the numbers that Envoy's API gives them.
var units = [...]struct {
	unit   Unit
	window time.Duration
}{
	1: {Second, time.Second},
	2: {Minute, time.Minute},
	3: {Hour, time.Hour},
	4: {Day, day},
	5: {Month, 30 * day},
	6: {Year, 365 * day},
	7: {Week, 7 * day},
}

// unitOf gives "" and 0 for a number that is none of a unit.
func unitOf(number int32) (Unit, time.Duration) {
	if number < 0 || int(number) >= len(units) {
		return "", 0
	}
	return units[number].unit, units[number].window
}

// numberOf gives 0 for what is no unit.
func numberOf(unit Unit) int32 {
	for number, each := range units {
		if number > 0 && each.unit == unit {
			return int32(number)
		}
	}
	return 0
}
