//! How a vector is written.

/// Calls methods of the backend and keeps text and result.
macro_rules! vectors {
    ($out:expr; $($method:ident($($argument:expr),* $(,)?);)*) => {
        $($out.push($crate::support::vectors::Vector::new(
            stringify!($method),
            stringify!($($argument),*),
            repro::Repro::$method($($argument),*),
        ));)*
    };
}
/// The gradients of Σ f · w by burn's autodiff, `w` being `normal(90, ..)` of f's shape.
macro_rules! gradients {
    ($out:expr; $($name:ident($($x:ident: $rank:literal = $input:expr),+ $(,)?) = $f:expr;)*) => {
        $({
            $(let $x = $crate::support::vectors::inputs::tracked::<$rank>($input);)+
            let f = {
                $(let $x = $x.clone();)+
                $f
            };
            let gradients = $crate::support::vectors::inputs::weighed(f).backward();
            let mut shapes = Vec::new();
            let mut numbers = Vec::new();
            $({
                use $crate::support::vectors::Output;
                let gradient = $x.grad(&gradients).expect("a gradient");
                gradient.into_primitive().tensor().collect(&mut shapes, &mut numbers);
            })+
            let inputs = [$(concat!(stringify!($x), "=", stringify!($input))),+];
            $out.push($crate::support::vectors::Vector {
                name: concat!("gradient_of_", stringify!($name)),
                recipe: format!(
                    "gradient_of_{}: {}; {}",
                    stringify!($name),
                    $crate::support::vectors::tidy(&inputs.join(",")),
                    $crate::support::vectors::tidy(stringify!($f)),
                ),
                shapes,
                numbers,
            });
        })*
    };
}

/// Calls functions of this folder or of burn and keeps text and result.
macro_rules! composed {
    ($out:expr; $($name:ident($($argument:expr),* $(,)?) = $result:expr;)*) => {
        $($out.push($crate::support::vectors::Vector::new(
            stringify!($name),
            stringify!($($argument),*),
            $result($($argument),*),
        ));)*
    };
}
