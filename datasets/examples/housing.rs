//! California housing as rows of numbers, ready for `lode dataset init --regression`.
//!
//! ```text
//! cargo run --release -p datasets --example housing -- housing.csv rows.csv
//! ```
//!
//! Reads the public file: ten columns with a header, the last a text. Rows keep
//! their order, so that row index % 5 == 0 is the test part of `--split-test 5`.
//!
//! - *Missing bedrooms* become the median of those that are known among the
//!   training rows, and a column says that they were missing.
//! - *The text column* becomes one column of 0 and 1 for each of its values.
//! - *Long tails* (counts, and what is counted per household) enter as square
//!   roots, which every machine rounds alike.
//! - *Place* enters also as its two diagonals, along and across the coast, and
//!   as the distance in degrees from five cities.
//!
//! The label, `median_house_value` in dollars, is the last column, as it was.

use std::error::Error;
use std::fs;

use csv::StringRecord;

/// The columns that are read, in their order.
const COLUMNS: [&str; 10] = [
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
    "ocean_proximity",
];

/// The values of the text column.
const PROXIMITIES: [&str; 5] = ["<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"];

/// Longitude and latitude of cities that prices follow.
const CITIES: [(&str, f64, f64); 5] = [
    ("los_angeles", -118.24, 34.05),
    ("san_francisco", -122.42, 37.77),
    ("san_diego", -117.16, 32.72),
    ("san_jose", -121.89, 37.34),
    ("sacramento", -121.49, 38.58),
];

/// One row in so many is a test row, which no statistic may look at.
const TEST_EVERY: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("two files are needed: housing.csv, and the one to write".into());
    };
    let bytes = fs::read(from)?;
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    if reader.headers()? != &StringRecord::from(&COLUMNS[..]) {
        return Err(format!("the columns of {from} are not {COLUMNS:?}").into());
    }
    let rows = reader.into_records().collect::<Result<Vec<_>, _>>()?;
    let median = median_bedrooms(&rows)?;
    let mut text = header();
    for (index, row) in rows.iter().enumerate() {
        text += &line(row, median).map_err(|error| format!("row {}: {error}", index + 1))?;
    }
    fs::write(to, text)?;
    println!(
        "wrote {to}: {} rows; {median} bedrooms where none are known",
        rows.len()
    );
    Ok(())
}

/// The median of the known numbers of bedrooms of the training rows.
fn median_bedrooms(rows: &[StringRecord]) -> Result<f64, Box<dyn Error>> {
    let mut known = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if index % TEST_EVERY != 0 && !row[4].is_empty() {
            known.push(row[4].parse::<f64>()?);
        }
    }
    known.sort_by(f64::total_cmp);
    known
        .get(known.len() / 2)
        .copied()
        .ok_or_else(|| "no row has bedrooms".into())
}

fn header() -> String {
    let mut names: Vec<String> = [
        "longitude",
        "latitude",
        "along_the_coast",
        "across_the_coast",
        "age",
        "root_rooms",
        "root_bedrooms",
        "bedrooms_missing",
        "root_population",
        "root_households",
        "income",
        "root_rooms_per_household",
        "bedrooms_per_room",
        "root_population_per_household",
    ]
    .map(String::from)
    .to_vec();
    names.extend(CITIES.map(|(city, _, _)| format!("from_{city}")));
    names.extend(["within_1h", "inland", "island", "near_bay", "near_ocean"].map(String::from));
    names.push("median_house_value".to_owned());
    names.join(",") + "\n"
}

fn line(row: &StringRecord, median: f64) -> Result<String, Box<dyn Error>> {
    let number = |column: usize| {
        let cell = &row[column];
        cell.parse::<f64>()
            .map_err(|_| format!("{} is '{cell}'", COLUMNS[column]))
    };
    let (longitude, latitude) = (number(0)?, number(1)?);
    let (rooms, population, households) = (number(3)?, number(5)?, number(6)?);
    let is_missing = row[4].is_empty();
    let bedrooms = if is_missing { median } else { number(4)? };
    let proximity = PROXIMITIES.iter().position(|&known| known == &row[9]);
    let proximity = proximity.ok_or_else(|| format!("ocean_proximity is '{}'", &row[9]))?;
    let mut cells = vec![
        longitude,
        latitude,
        latitude - longitude,
        latitude + longitude,
        number(2)?,
        rooms.sqrt(),
        bedrooms.sqrt(),
        f64::from(u8::from(is_missing)),
        population.sqrt(),
        households.sqrt(),
        number(7)?,
        (rooms / households).sqrt(),
        bedrooms / rooms,
        (population / households).sqrt(),
    ];
    cells.extend(CITIES.map(|(_, east, north)| {
        let (x, y) = (longitude - east, latitude - north);
        (x * x + y * y).sqrt()
    }));
    cells.extend((0..PROXIMITIES.len()).map(|place| f64::from(u8::from(place == proximity))));
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:.5}")).collect();
    Ok(format!("{},{}\n", cells.join(","), number(8)?))
}
